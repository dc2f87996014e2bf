import { api, take, type Task } from '@/api/client'
import { useFilters } from '@/api/filters'
import { usePages } from '@/api/pages'
import { count } from '@/lib/bytes'
import { Select } from '@/ui/Field'
import { List, type Column } from '@/ui/List'
import { Page } from '@/ui/Page'
import { Badge, Empty } from '@/ui/State'
import { Ago, Time } from '@/ui/Time'
import { kindOf, stateOf } from './words'

function State({ task }: { task: Task }) {
  const [text, tone] = stateOf(task)
  return <Badge tone={tone}>{text}</Badge>
}

const COLUMNS: Column<Task>[] = [
  { title: 'Task', width: 'minmax(0, 2fr)', cell: kindOf },
  { title: 'State', width: '7rem', cell: task => <State task={task} /> },
  {
    title: 'Sent again',
    named: true,
    width: '7rem',
    align: 'end',
    cell: task => <span className="number">{count(task.data.queued)}</span>,
  },
  { title: 'Endpoint', width: 'minmax(0, 2fr)', cell: task => <code className="quiet">{task.data.endpointId}</code> },
  { title: 'Changed', width: '7rem', align: 'end', cell: task => <Ago at={task.updatedAt} /> },
  { title: 'Started', width: '9.500rem', align: 'end', cell: task => <Time at={task.data.createdAt} /> },
]

const STATES = [
  ['', 'Any state'],
  ['running', 'Running'],
  ['finished', 'Finished'],
  ['failed', 'Failed or cancelled'],
] as const

export default function TaskList() {
  const filters = useFilters()
  const status = (filters.get('status') || undefined) as Task['status'] | undefined
  const pages = usePages<Task>(
    ['task', 'list', filters.text],
    iterator => take(api.GET('/api/v1/background-task', { params: { query: { limit: 100, iterator, status } } })),
    3000,
  )
  return (
    <Page title="Background tasks">
      <div className="filters">
        <Select label="State" value={filters.get('status')} onChange={filters.set('status')} options={STATES} />
      </div>
      <List
        label="Background tasks"
        pages={pages}
        columns={COLUMNS}
        keyOf={task => task.id}
        href={task => `/task/${task.id}`}
        empty={
          filters.any ? (
            <Empty title="No task in this state." />
          ) : (
            <Empty title="No background task yet.">
              <p>Recovering and replaying an endpoint run here, from the endpoint’s “More”.</p>
            </Empty>
          )
        }
      />
    </Page>
  )
}
