import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useSearchParams } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take, type Application } from '@/api/client'
import { usePages, type Pages } from '@/api/pages'
import { Button } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { Page } from '@/ui/Page'
import { Empty } from '@/ui/State'
import { Ago } from '@/ui/Time'
import { ApplicationDialog } from './ApplicationDialog'

const COLUMNS: Column<Application>[] = [
  { title: 'Name', width: 'minmax(0, 3fr)', cell: app => app.name },
  { title: 'Uid', width: 'minmax(0, 2fr)', cell: app => app.uid && <code>{app.uid}</code> },
  { title: 'Id', width: 'minmax(0, 3fr)', cell: app => <code className="quiet">{app.id}</code> },
  { title: 'Created', width: '8rem', align: 'end', cell: app => <Ago at={app.createdAt} /> },
]

export default function ApplicationList() {
  const { mayOwn } = useAccess()
  const [search, setSearch] = useSearchParams()
  const wanted = search.get('find') ?? ''
  const creating = search.has('new')
  const create = () => setSearch({ new: '' })
  const pages = usePages<Application>(['app', 'list'], iterator =>
    take(api.GET('/api/v1/app', { params: { query: { limit: 100, iterator, order: 'descending' } } })),
  )
  const found = useFound(pages, wanted)

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
          placeholder="Name, or a whole id or uid"
          value={wanted}
          onChange={text => setSearch(text ? { find: text } : {}, { replace: true })}
        />
      </div>
      <List
        label="Applications"
        pages={found}
        columns={COLUMNS}
        keyOf={app => app.id}
        href={app => `/app/${app.id}`}
        empty={
          wanted ? (
            <Empty title="No application of that name.">
              <p>A whole id or uid finds every application; names are looked for among those loaded here.</p>
              {pages.hasMore && <Button onPress={pages.loadMore}>Load more</Button>}
            </Empty>
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

// The loaded ones whose name has the text, and the one whose id or uid it is.
function useFound(pages: Pages<Application>, wanted: string): Pages<Application> {
  const exact = useQuery({
    queryKey: ['app', 'exact', wanted],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}', { params: { path: { app_id: wanted } } })).catch(() => null),
    enabled: /^[\w.-]+$/.test(wanted),
    placeholderData: keepPreviousData,
  })
  if (!wanted) return pages
  const lower = wanted.toLowerCase()
  const items = pages.items.filter(app => [app.name, app.uid ?? '', app.id].some(text => text.toLowerCase().includes(lower)))
  if (exact.data && !items.some(app => app.id === exact.data?.id)) items.unshift(exact.data)
  return { ...pages, items }
}
