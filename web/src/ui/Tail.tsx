import { useState } from 'react'
import type { Pages } from '@/api/pages'
import { useTail, type TailEvent } from '@/api/tail'
import { statusOf } from '@/lib/status'
import { Button } from './Button'
import { List, type Column } from './List'
import { Section } from './Page'
import { Badge, Empty } from './State'
import { Time } from './Time'

const STATES = { connecting: 'Connecting…', listening: 'Listening', away: 'Lost; trying again…' }

function What({ event }: { event: TailEvent }) {
  if (event.type === 'arrival') return <Badge tone="quiet">Arrived in the inbox</Badge>
  if (event.type === 'message') return <Badge tone="quiet">Accepted</Badge>
  const [text, tone] = statusOf(event.statusText ?? '')
  return (
    <Badge tone={tone}>
      {text}
      {event.responseStatusCode ? ` ${event.responseStatusCode}` : ''}
    </Badge>
  )
}

const COLUMNS: Column<TailEvent>[] = [
  {
    title: 'Event type',
    width: 'minmax(0, 2fr)',
    cell: event => (event.type === 'dropped' ? `${event.count} not shown: too fast` : (event.eventType ?? 'Test inbox')),
  },
  { title: 'What', width: '11rem', cell: event => event.type !== 'dropped' && <What event={event} /> },
  { title: 'Took', width: '6rem', align: 'end', cell: event => event.responseDurationMs !== undefined && `${event.responseDurationMs} ms` },
  { title: 'Message', width: 'minmax(0, 3fr)', cell: event => <code className="quiet">{event.msgId ?? event.id}</code> },
  { title: 'Endpoint', width: 'minmax(0, 3fr)', cell: event => event.endpointId && <code className="quiet">{event.endpointId}</code> },
  { title: 'Time', width: '10rem', align: 'end', cell: event => event.timestamp && <Time at={event.timestamp} /> },
]

export function Tail({ path }: { path: string }) {
  const [paused, setPaused] = useState(false)
  const { events, state, clear } = useTail(path, paused)
  const pages: Pages<TailEvent> = {
    items: events,
    isLoading: false,
    error: null,
    hasMore: false,
    isLoadingMore: false,
    loadMore: () => {},
    reload: () => {},
  }
  return (
    <Section
      title="Live"
      actions={
        <>
          <Badge tone={paused ? 'warn' : state === 'listening' ? 'good' : 'quiet'}>{paused ? 'Stopped' : STATES[state]}</Badge>
          <Button onPress={() => setPaused(!paused)}>{paused ? 'Go on' : 'Stop'}</Button>
          <Button onPress={clear} isDisabled={events.length === 0}>
            Clear
          </Button>
        </>
      }
    >
      <List
        label="Live"
        pages={pages}
        columns={COLUMNS}
        keyOf={event => String(event.key)}
        href={event => `/app/${event.appId}/${event.type === 'arrival' ? 'inbox' : `msg/${event.msgId ?? event.id}`}`}
        end="The last 500 at most; what came before is in the lists."
        empty={
          <Empty title="Nothing yet.">
            <p>Messages and attempts show here as they happen.</p>
          </Empty>
        }
      />
    </Section>
  )
}
