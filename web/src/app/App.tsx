import { lazy, Suspense, useEffect } from 'react'
import { useQueryClient } from '@tanstack/react-query'
import { Route, Switch } from 'wouter'
import { useSignedIn } from '@/api/credential'
import { Empty, Skeleton } from '@/ui/State'
import { LinkButton } from '@/ui/Button'
import { Page } from '@/ui/Page'
import { Toasts } from '@/ui/Toast'
import { Shell } from './Shell'
import { SignIn } from './SignIn'

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
const TaskList = lazy(() => import('@/features/task/TaskList'))
const TaskPage = lazy(() => import('@/features/task/TaskPage'))

export function App() {
  const signedIn = useSignedIn()
  const queries = useQueryClient()
  useEffect(() => {
    if (!signedIn) queries.clear() // nothing of one person for the next
  }, [signedIn, queries])
  return (
    <>
      {signedIn ? (
        <Shell>
          <Suspense fallback={<Skeleton lines={6} />}>
            <Switch>
              <Route path="/" component={Overview} />
              <Route path="/app" component={ApplicationList} />
              <Route path="/app/:app/endpoint/new" component={NewEndpoint} />
              <Route path="/app/:app/endpoint/:endpoint/:tab?" component={EndpointPage} />
              <Route path="/app/:app/msg/:msg" component={MessagePage} />
              <Route path="/app/:app/:tab?" component={ApplicationPage} />
              <Route path="/event-type" component={EventTypeList} />
              <Route path="/event-type/new" component={EventTypeForm} />
              <Route path="/event-type/:name" component={EventTypePage} />
              <Route path="/event-type/:name/edit" component={EventTypeForm} />
              <Route path="/task" component={TaskList} />
              <Route path="/task/:task" component={TaskPage} />
              <Route path="/settings/:tab?" component={Settings} />
              <Route>
                <Page title="Nothing here">
                  <Empty title="There is no such page.">
                    <LinkButton href="/">Go to the start</LinkButton>
                  </Empty>
                </Page>
              </Route>
            </Switch>
          </Suspense>
        </Shell>
      ) : (
        <SignIn />
      )}
      <Toasts />
    </>
  )
}
