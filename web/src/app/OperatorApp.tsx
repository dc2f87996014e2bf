// The pages of whoever runs the instance, for the operator's token.
import { Suspense } from 'react'
import { Redirect, Route, Switch, useLocation } from 'wouter'
import { credential, useSignedIn } from '@/api/credential'
import HealthPage from '@/features/operator/HealthPage'
import PlanList from '@/features/operator/PlanList'
import TenantList from '@/features/operator/TenantList'
import TenantPage from '@/features/operator/TenantPage'
import { Skeleton } from '@/ui/State'
import { Frame, type Place } from './Frame'
import { KeySignIn } from './KeySignIn'
import { Mishap } from './Mishap'
import { Nothing } from './Nothing'

const PLACES: Place[] = [
  ['Tenants', '/tenant', 'apps'],
  ['Plans', '/plan', 'tag'],
  ['Health', '/health', 'live'],
]

export default function OperatorApp() {
  const signedIn = useSignedIn()
  const [location] = useLocation()
  if (!signedIn)
    return (
      <KeySignIn title="Operator" label="Operator’s token" unknown="This is not the operator’s token.">
        <p className="quiet">
          It is what the server was given as <code>POSTHORN_OPERATOR_TOKEN</code>. <a href="/dashboard">To the dashboard</a>
        </p>
      </KeySignIn>
    )
  return (
    <Frame places={PLACES} who={<p className="tenant">Operator</p>} onSignOut={() => credential.forget()}>
      <Mishap key={location}>
        <Suspense fallback={<Skeleton lines={6} />}>
          <Switch>
            <Route path="/">
              <Redirect to="/tenant" replace />
            </Route>
            <Route path="/tenant" component={TenantList} />
            <Route path="/tenant/:tenant" component={TenantPage} />
            <Route path="/plan" component={PlanList} />
            <Route path="/health" component={HealthPage} />
            <Route component={Nothing} />
          </Switch>
        </Suspense>
      </Mishap>
    </Frame>
  )
}
