import { useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useEffect } from 'react'
import { Redirect, Route, Switch, useLocation } from 'wouter'
import { AccessGate, useAccess } from '@/api/access'
import { isPortal, place, useSignedIn } from '@/api/credential'
import { Page } from '@/ui/Page'
import { Failure, Skeleton } from '@/ui/State'
import { Toasts } from '@/ui/Toast'
import { useArrival } from './arrival'
import { Mishap } from './Mishap'
import { Nothing } from './Nothing'
import { PortalEnd, PortalShell } from './PortalShell'
import { Shell } from './Shell'
import { SignIn } from './SignIn'

const OperatorApp = lazy(() => import('./OperatorApp'))
const CatalogApp = lazy(() => import('./CatalogApp'))
const Overview = lazy(() => import('@/features/overview/Overview'))
const ApplicationList = lazy(() => import('@/features/application/ApplicationList'))
const ApplicationPage = lazy(() => import('@/features/application/ApplicationPage'))
const NewEndpoint = lazy(() => import('@/features/endpoint/NewEndpoint'))
const EndpointPage = lazy(() => import('@/features/endpoint/EndpointPage'))
const MessagePage = lazy(() => import('@/features/message/MessagePage'))
const EventTypeList = lazy(() => import('@/features/event_type/EventTypeList'))
const EventTypePage = lazy(() => import('@/features/event_type/EventTypePage'))
const EventTypeForm = lazy(() => import('@/features/event_type/EventTypeForm'))
const Settings = lazy(() => import('@/features/tenant/Settings'))
const TailPage = lazy(() => import('@/features/tail/TailPage'))
const TaskList = lazy(() => import('@/features/task/TaskList'))
const TaskPage = lazy(() => import('@/features/task/TaskPage'))

// Of one application: what the portal has, too.
const APPLICATION = [
  <Route key="new" path="/app/:app/endpoint/new" component={NewEndpoint} />,
  <Route key="endpoint" path="/app/:app/endpoint/:endpoint/:tab?" component={EndpointPage} />,
  <Route key="message" path="/app/:app/msg/:msg" component={MessagePage} />,
  <Route key="application" path="/app/:app/:tab?" component={ApplicationPage} />,
]

function Dashboard() {
  return (
    <Switch>
      <Route path="/" component={Overview} />
      <Route path="/app" component={ApplicationList} />
      {APPLICATION}
      <Route path="/event-type" component={EventTypeList} />
      <Route path="/event-type/new" component={EventTypeForm} />
      <Route path="/event-type/:name" component={EventTypePage} />
      <Route path="/event-type/:name/edit" component={EventTypeForm} />
      <Route path="/tail" component={TailPage} />
      <Route path="/task" component={TaskList} />
      <Route path="/task/:task" component={TaskPage} />
      <Route path="/settings/:tab?" component={Settings} />
      <Route component={Nothing} />
    </Switch>
  )
}

function Portal() {
  const { application, shows } = useAccess()
  return (
    <Switch>
      <Route path="/">
        <Redirect to={`/app/${application}`} replace />
      </Route>
      {APPLICATION}
      {shows('event-types') && (
        <>
          <Route path="/event-type" component={EventTypeList} />
          <Route path="/event-type/:name" component={EventTypePage} />
        </>
      )}
      <Route component={Nothing} />
    </Switch>
  )
}

export function App() {
  const signedIn = useSignedIn()
  const queries = useQueryClient()
  const [location] = useLocation()
  useArrival(location)
  useEffect(() => {
    if (!signedIn) queries.clear() // nothing of one person for the next
  }, [signedIn, queries])
  return (
    <>
      {place === 'operator' ? (
        <Suspense>
          <OperatorApp />
        </Suspense>
      ) : place === 'catalog' ? (
        <Suspense>
          <CatalogApp />
        </Suspense>
      ) : signedIn ? (
        <Inside />
      ) : isPortal ? (
        <PortalEnd />
      ) : (
        <SignIn />
      )}
      <Toasts />
    </>
  )
}

// Of the dashboard and the portal.
function Inside() {
  const [location] = useLocation()
  const Frame = isPortal ? PortalShell : Shell
  const loading = <Skeleton lines={6} />
  return (
    <Frame>
      <AccessGate loading={loading} failed={(error, retry) => <Page title="Posthorn" children={<Failure error={error} retry={retry} />} />}>
        <Mishap key={location}>
          <Suspense fallback={loading}>{isPortal ? <Portal /> : <Dashboard />}</Suspense>
        </Mishap>
      </AccessGate>
    </Frame>
  )
}
