import { useAccess } from '@/api/access'
import { api, take, type Endpoint } from '@/api/client'
import { usePages } from '@/api/pages'
import { addressOf } from '@/lib/endpoint'
import { healthOf } from '@/lib/status'
import { LinkButton } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { Section } from '@/ui/Page'
import { Badge, Empty } from '@/ui/State'
import { Ago } from '@/ui/Time'

function Health({ endpoint }: { endpoint: Endpoint }) {
  const [text, tone] = healthOf(endpoint)
  return <Badge tone={tone}>{text}</Badge>
}

function types(endpoint: Endpoint) {
  const names = endpoint.eventTypes ?? []
  return names.length === 0 ? <span className="quiet">all</span> : names.join(', ')
}

const COLUMNS: Column<Endpoint>[] = [
  { title: 'URL', width: 'minmax(0, 4fr)', cell: addressOf },
  { title: 'State', width: '6.500rem', cell: endpoint => <Health endpoint={endpoint} /> },
  { title: 'Description', width: 'minmax(0, 2fr)', cell: endpoint => endpoint.description },
  { title: 'Event types', named: true, width: 'minmax(0, 2fr)', cell: types },
  { title: 'Created', width: '7rem', align: 'end', cell: endpoint => <Ago at={endpoint.createdAt} /> },
]

export function EndpointList({ app }: { app: string }) {
  const pages = usePages<Endpoint>(
    ['endpoint', app, 'list'],
    iterator => take(api.GET('/api/v1/app/{app_id}/endpoint', { params: { path: { app_id: app }, query: { limit: 100, iterator } } })),
    10_000,
  )
  const { mayChange } = useAccess()
  const create = mayChange && (
    <LinkButton href={`/app/${app}/endpoint/new`} look="primary">
      <Icon name="plus" />
      New endpoint
    </LinkButton>
  )
  return (
    <Section title="Endpoints" actions={pages.items.length > 0 && create}>
      <List
        label="Endpoints"
        pages={pages}
        columns={COLUMNS}
        keyOf={endpoint => endpoint.id}
        href={endpoint => `/app/${app}/endpoint/${endpoint.id}`}
        empty={
          <Empty title="No endpoint yet.">
            <p>An endpoint is a URL that gets this application's messages.</p>
            {create}
          </Empty>
        }
      />
    </Section>
  )
}
