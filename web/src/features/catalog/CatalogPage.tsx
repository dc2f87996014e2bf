import { useQuery } from '@tanstack/react-query'
import { useParams } from 'wouter'
import { api, take, type Schemas as Types } from '@/api/client'
import { ApiError } from '@/api/error'
import { useFilters } from '@/api/filters'
import { Catalogue, Schemas } from '@/ui/Catalogue'
import { Copyable } from '@/ui/Code'
import { TextField } from '@/ui/Field'
import { Page } from '@/ui/Page'
import { Badge, Empty, Failure, Skeleton } from '@/ui/State'

type Entry = Types['CatalogEventTypeOut']

async function everything(catalog: string) {
  const all: Entry[] = []
  let iterator: string | undefined
  for (;;) {
    const page = await take(api.GET('/api/v1/catalog/{catalog}', { params: { path: { catalog }, query: { limit: 250, iterator } } }))
    all.push(...page.data)
    if (page.done || !page.iterator) return all
    iterator = page.iterator
  }
}

export default function CatalogPage() {
  const { catalog = '', type } = useParams()
  const { data, error, refetch } = useQuery({ queryKey: ['catalog', catalog], queryFn: () => everything(catalog), staleTime: 60_000 })
  const home = `/${encodeURIComponent(catalog)}`
  if (error instanceof ApiError && error.status === 404)
    return (
      <Page title="Event types">
        <Empty title="Nothing is published here.">
          <p>The catalogue may have another name now, or is no longer public.</p>
        </Empty>
      </Page>
    )
  if (error) return <Page title="Event types" children={<Failure error={error} retry={() => void refetch()} />} />
  if (!data) return <Skeleton lines={6} />
  if (type === undefined) return <Everything types={data} home={home} />
  const found = data.find(one => one.name === type)
  if (!found) return <Page title={type} above={[['Event types', home]]} children={<Empty title="There is no event type of that name." />} />
  return (
    <Page title={found.name} above={[['Event types', home]]} note={found.deprecated && <Badge tone="warn">Deprecated</Badge>}>
      <p>{found.description}</p>
      <p className="row">
        <span className="quiet">Name</span> <Copyable text={found.name} />
      </p>
      <Schemas schemas={found.schemas} />
    </Page>
  )
}

function Everything({ types, home }: { types: Entry[]; home: string }) {
  const filters = useFilters()
  const find = filters.get('find').toLowerCase()
  const visible = types.filter(type => `${type.name} ${type.description}`.toLowerCase().includes(find))
  return (
    <Page title="Event types">
      <p>What you can be told by webhook: each event type with its schema and an example.</p>
      <div className="filters">
        <TextField label="Find" placeholder="Name or description" value={filters.get('find')} onChange={filters.set('find')} />
      </div>
      {visible.length === 0 ? (
        <Empty title={types.length === 0 ? 'No event type yet.' : 'No event type like that.'} />
      ) : (
        <Catalogue types={visible} href={name => `${home}/${encodeURIComponent(name)}`} />
      )}
    </Page>
  )
}
