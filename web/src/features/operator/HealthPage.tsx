import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { api, take, type Schemas } from '@/api/client'
import { bytes, count } from '@/lib/bytes'
import { Page, Section } from '@/ui/Page'
import { Badge, Empty, Failure, Note, Skeleton } from '@/ui/State'
import { Ago } from '@/ui/Time'

const REFRESH_MS = 3000

// What the instance owes, and the nodes that see to it.
export default function HealthPage() {
  return (
    <Page title="Health">
      <Queue />
      <Nodes />
    </Page>
  )
}

function Queue() {
  const { data, error, refetch } = useQuery({
    queryKey: ['queue'],
    queryFn: () => take(api.GET('/admin/v1/queue')),
    refetchInterval: REFRESH_MS,
  })
  if (error) return <Section title="Queue" children={<Failure error={error} retry={() => void refetch()} />} />
  if (!data) return <Section title="Queue" children={<Skeleton lines={4} />} />
  const upTo = (value: number) => `${count(value)}${value >= data.countedTo ? '+' : ''}`
  const figures: [string, [name: string, value: ReactNode][]][] = [
    [
      'Deliveries',
      [
        ['Due now', upTo(data.deliveriesDue)],
        ['Oldest due', data.oldestDueAt ? <Ago at={data.oldestDueAt} /> : '–'],
        ['Waiting', upTo(data.deliveriesWaiting)],
        ['Owed in all, about', data.deliveriesEstimate === null ? '–' : count(data.deliveriesEstimate)],
      ],
    ],
    [
      'Endpoints',
      [
        ['Due now', upTo(data.endpointsDue)],
        ['Failing', upTo(data.endpointsFailing)],
        ['With an open breaker', upTo(data.endpointsBroken)],
        ['Paused', upTo(data.endpointsPaused)],
        ['Held in all', upTo(data.endpointsHeld)],
      ],
    ],
    [
      'Elsewhere',
      [
        ['Messages to be matched', upTo(data.messagesUnmatched)],
        ['Planned for later', upTo(data.messagesPlanned)],
        ['Tasks under way', upTo(data.tasksRunning)],
        ['Tenants being removed', upTo(data.tenantsLeaving)],
      ],
    ],
  ]
  return (
    <Section title="Queue">
      {figures.map(([title, values]) => (
        <div key={title} className="stack">
          <h3>{title}</h3>
          <dl className="figures">
            {values.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </div>
      ))}
    </Section>
  )
}

function Nodes() {
  const { data, error, refetch } = useQuery({
    queryKey: ['node'],
    queryFn: () => take(api.GET('/admin/v1/node')),
    refetchInterval: REFRESH_MS,
  })
  if (error) return <Section title="Nodes" children={<Failure error={error} retry={() => void refetch()} />} />
  if (!data) return <Section title="Nodes" children={<Skeleton lines={3} />} />
  const dead = data.data.filter(node => !node.alive).length
  return (
    <Section title="Nodes">
      {dead > 0 && <Note tone="warn">What a node that is gone held is taken over by the others within seconds.</Note>}
      {data.data.length === 0 ? (
        <Empty title="No node." />
      ) : (
        <div className="wide-table" tabIndex={0} role="region" aria-label="Nodes, table">
          <table className="limits">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">State</th>
                <th scope="col">Deliveries in memory</th>
                <th scope="col">Their payloads</th>
                <th scope="col">Started</th>
                <th scope="col">Last told</th>
              </tr>
            </thead>
            <tbody>
              {data.data.map(node => (
                <NodeRow key={node.id} node={node} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}

function NodeRow({ node }: { node: Schemas['NodeOut'] }) {
  return (
    <tr>
      <th scope="row">{node.name}</th>
      <td>
        <Badge tone={node.alive ? 'good' : 'bad'}>{node.alive ? 'Alive' : 'Gone'}</Badge>
      </td>
      <td className="number">{count(node.deliveriesInMemory)}</td>
      <td className="number">{bytes(node.payloadBytesInMemory)}</td>
      <td>
        <Ago at={node.startedAt} />
      </td>
      <td>{node.reportedAt ? <Ago at={node.reportedAt} /> : <span className="quiet">not yet</span>}</td>
    </tr>
  )
}
