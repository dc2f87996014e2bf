// What a tenant shows to everybody, without signing in.
import { Route, Switch, useLocation } from 'wouter'
import CatalogPage from '@/features/catalog/CatalogPage'
import { Mishap } from './Mishap'
import { Nothing } from './Nothing'
import { TopFrame } from './TopFrame'

export default function CatalogApp() {
  const [location] = useLocation()
  return (
    <TopFrame title="Webhooks" note={<a href="/docs">API documentation</a>}>
      <Mishap key={location}>
        <Switch>
          <Route path="/:catalog/:type?" component={CatalogPage} />
          <Route component={Nothing} />
        </Switch>
      </Mishap>
    </TopFrame>
  )
}
