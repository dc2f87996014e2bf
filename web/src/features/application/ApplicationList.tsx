import { useQuery } from '@tanstack/react-query'
import { useDeferredValue, useEffect } from 'react'
import { useSearchParams } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take, type Application } from '@/api/client'
import { usePages, type Pages } from '@/api/pages'
import { useApplicationStates, type ApplicationState } from '@/api/stats'
import { count as counted } from '@/lib/bytes'
import { Button } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { Page } from '@/ui/Page'
import { Badge, Empty } from '@/ui/State'
import { Ago } from '@/ui/Time'
import { ApplicationDialog } from './ApplicationDialog'

function columns(states: Map<string, ApplicationState>): Column<Application>[] {
  return [
    { title: 'Name', width: 'minmax(0, 3fr)', cell: app => app.name },
    { title: 'Uid', width: 'minmax(0, 2fr)', cell: app => app.uid && <code>{app.uid}</code> },
    { title: 'Id', width: 'minmax(0, 3fr)', cell: app => <code className="quiet">{app.id}</code> },
    { title: 'Endpoints', width: '7.500rem', cell: app => <Health state={states.get(app.id)} /> },
    { title: 'Messages, 24 h', named: true, width: '7rem', align: 'end', cell: app => count(states.get(app.id)?.messages) },
    { title: 'Created', width: '6rem', align: 'end', cell: app => <Ago at={app.createdAt} /> },
  ]
}

const count = (n: number | undefined) => n !== undefined && <span className="number">{counted(n)}</span>

function Health({ state }: { state: ApplicationState | undefined }) {
  if (!state) return null
  const { endpoints, failing, disabled } = state
  if (failing > 0) return <Badge tone="bad">{`${failing} failing`}</Badge>
  if (disabled > 0) return <Badge tone="warn">{`${disabled} disabled`}</Badge>
  return endpoints > 0 ? (
    <Badge tone="good">{endpoints === 1 ? '1 active' : `${endpoints} active`}</Badge>
  ) : (
    <span className="quiet">none</span>
  )
}

export default function ApplicationList() {
  const { mayOwn } = useAccess()
  const [search, setSearch] = useSearchParams()
  const wanted = search.get('find') ?? ''
  const creating = search.has('new')
  const create = () => setSearch({ new: '' })
  const found = useFound(useDeferredValue(wanted))
  const states = useApplicationStates(found.items.map(app => app.id))

  return (
    <Page
      title="Applications"
      actions={
        mayOwn && (
          <Button look="primary" onPress={create}>
            <Icon name="plus" />
            New application
          </Button>
        )
      }
    >
      <div className="filters">
        <TextField
          label="Find"
          placeholder="Name, uid or id"
          value={wanted}
          onChange={text => setSearch(text ? { find: text } : {}, { replace: true })}
        />
      </div>
      <List
        label="Applications"
        pages={found}
        columns={columns(states)}
        keyOf={app => app.id}
        href={app => `/app/${app.id}`}
        empty={
          wanted ? (
            <Empty title="No application of that name." />
          ) : (
            <Empty title="No application yet.">
              <p>An application is one of your customers: it has endpoints, and gets messages.</p>
              {mayOwn && (
                <Button look="primary" onPress={create}>
                  New application
                </Button>
              )}
            </Empty>
          )
        }
      />
      {creating && mayOwn && <ApplicationDialog onClose={() => setSearch({}, { replace: true })} />}
    </Page>
  )
}

// Those whose name or uid has the text in it, and before them the one whose id it is.
function useFound(wanted: string): Pages<Application> {
  const pages = usePages<Application>(['app', 'list', wanted], iterator =>
    take(api.GET('/api/v1/app', { params: { query: { limit: 100, iterator, order: 'descending', search: wanted || undefined } } })),
  )
  const exact = useQuery({
    queryKey: ['app', 'exact', wanted],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}', { params: { path: { app_id: wanted } } })).catch(() => null),
    enabled: /^app_\w+$/.test(wanted),
  })
  // A page that looked at many applications and found none of them.
  const goesOn = pages.items.length === 0 && pages.hasMore
  useEffect(() => {
    if (goesOn) pages.loadMore()
  })
  const one = exact.data
  if (one && !pages.items.some(app => app.id === one.id)) return { ...pages, items: [one, ...pages.items] }
  return { ...pages, isLoading: pages.isLoading || goesOn || exact.isLoading }
}
