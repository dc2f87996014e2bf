import { useQueryClient } from '@tanstack/react-query'
import { useAccess } from '@/api/access'
import { api, take, type Schemas } from '@/api/client'
import { useFilters } from '@/api/filters'
import { usePages } from '@/api/pages'
import { STATUSES, statusOf } from '@/lib/status'
import { Button } from '@/ui/Button'
import { Select, TextField } from '@/ui/Field'
import { List, type Column } from '@/ui/List'
import { Badge, Empty } from '@/ui/State'
import { Ago, Time } from '@/ui/Time'
import { tell } from '@/ui/Toast'

type Delivery = Schemas['EndpointMessageOut']

// The messages of an endpoint and what became of each there.
export function DeliveryList({ app, endpoint }: { app: string; endpoint: string }) {
  const queries = useQueryClient()
  const filters = useFilters()
  const { mayChange } = useAccess()
  const status = filters.get('status')
  const pages = usePages<Delivery>(
    ['endpoint', app, endpoint, 'deliveries', filters.text],
    iterator =>
      take(
        api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg', {
          params: {
            path: { app_id: app, endpoint_id: endpoint },
            query: {
              limit: 100,
              iterator,
              with_content: false,
              status: status === '' ? undefined : (Number(status) as Schemas['MessageStatus']),
              event_types: filters.get('type') ? [filters.get('type')] : undefined,
              channel: filters.get('channel') || undefined,
            },
          },
        }),
      ),
    4000,
  )

  async function resend(delivery: Delivery) {
    try {
      await take(
        api.POST('/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend', {
          params: { path: { app_id: app, msg_id: delivery.id, endpoint_id: endpoint } },
        }),
      )
      tell.done('It goes out once more now.')
      await queries.invalidateQueries({ queryKey: ['endpoint', app, endpoint] })
    } catch (error) {
      tell.failed(error)
    }
  }

  const columns: Column<Delivery>[] = [
    { title: 'Event type', width: 'minmax(0, 3fr)', cell: delivery => delivery.eventType },
    { title: 'Outcome', width: '7.500rem', cell: delivery => <Outcome delivery={delivery} /> },
    { title: 'Message', width: 'minmax(0, 4fr)', cell: delivery => <code className="quiet">{delivery.id}</code> },
    {
      title: 'Next attempt',
      named: true,
      width: '8.500rem',
      cell: delivery => delivery.nextAttempt && <Next attempt={(delivery.attemptsMade ?? 0) + 1} at={delivery.nextAttempt} />,
    },
    { title: 'Time', width: '9.500rem', cell: delivery => <Time at={delivery.timestamp} />, align: 'end' },
    ...(mayChange
      ? [
          {
            title: 'Action',
            width: '5.500rem',
            align: 'end' as const,
            cell: (delivery: Delivery) => (
              <Button look="quiet" aria-label={`Resend ${delivery.id}`} onPress={() => void resend(delivery)}>
                Resend
              </Button>
            ),
          } satisfies Column<Delivery>,
        ]
      : []),
  ]
  return (
    <>
      <div className="filters">
        <Select label="Outcome" value={status} onChange={filters.set('status')} options={STATUSES} />
        <TextField label="Event type" value={filters.get('type')} onChange={filters.set('type')} />
        <TextField label="Channel" value={filters.get('channel')} onChange={filters.set('channel')} />
        {filters.any && <Button onPress={filters.clear}>Clear</Button>}
      </div>
      <List
        label="Deliveries"
        pages={pages}
        columns={columns}
        keyOf={delivery => delivery.id}
        href={delivery => `/app/${app}/msg/${delivery.id}`}
        empty={
          filters.any ? (
            <Empty title="No delivery like that." />
          ) : (
            <Empty title="Nothing has been delivered yet.">
              <p>The Test tab sends something at once.</p>
            </Empty>
          )
        }
      />
    </>
  )
}

function Outcome({ delivery }: { delivery: Delivery }) {
  const [text, tone] = statusOf(delivery.statusText)
  return <Badge tone={tone}>{text}</Badge>
}

function Next({ attempt, at }: { attempt: number; at: string }) {
  return (
    <>
      <span className="quiet">{`no. ${attempt}, `}</span>
      <Ago at={at} dueWord="due now" />
    </>
  )
}
