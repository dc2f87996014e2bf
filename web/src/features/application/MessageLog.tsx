import { useState, type FormEvent } from 'react'
import { useLocation, useSearchParams } from 'wouter'
import { api, take, type Message } from '@/api/client'
import { usePages } from '@/api/pages'
import { useEventTypes } from '@/api/queries'
import { fromField } from '@/lib/time'
import { Button } from '@/ui/Button'
import { DateField, Select, TextField } from '@/ui/Field'
import { List, type Column } from '@/ui/List'
import { Section } from '@/ui/Page'
import { Empty } from '@/ui/State'
import { Time } from '@/ui/Time'

const COLUMNS: Column<Message>[] = [
  { title: 'Event type', width: 'minmax(0, 2fr)', cell: message => message.eventType },
  { title: 'Message', width: 'minmax(0, 3fr)', cell: message => <code className="quiet">{message.id}</code> },
  { title: 'Event id', width: 'minmax(0, 2fr)', cell: message => message.eventId && <code className="quiet">{message.eventId}</code> },
  { title: 'Channels, tags', width: 'minmax(0, 2fr)', cell: chips },
  { title: 'Time', width: '9.500rem', align: 'end', cell: message => <Time at={message.timestamp} /> },
]

function chips(message: Message) {
  const all = [...(message.channels ?? []), ...(message.tags ?? []).map(tag => `#${tag}`)]
  return all.map(text => (
    <span key={text} className="chip">
      {text}
    </span>
  ))
}

export function MessageLog({ app, onSend }: { app: string; onSend?: (() => void) | undefined }) {
  const [search, setSearch] = useSearchParams()
  const filter = (name: string) => search.get(name) ?? ''
  const set = (name: string) => (value: string) =>
    setSearch(
      before => {
        const next = new URLSearchParams(before)
        if (value) next.set(name, value)
        else next.delete(name)
        return next
      },
      { replace: true },
    )
  const catalogue = useEventTypes()
  const filtered = search.size > 0
  const pages = usePages<Message>(
    ['message', app, 'list', search.toString()],
    iterator =>
      take(
        api.GET('/api/v1/app/{app_id}/msg', {
          params: {
            path: { app_id: app },
            query: {
              limit: 100,
              iterator,
              with_content: false,
              event_types: filter('type') ? [filter('type')] : undefined,
              channel: filter('channel') || undefined,
              tag: filter('tag') || undefined,
              after: fromField(filter('after')),
              before: fromField(filter('before')),
            },
          },
        }),
      ),
    5000,
  )
  const names = (catalogue.data ?? []).map(type => type.name)
  const options = [...new Set([...names, ...(filter('type') ? [filter('type')] : [])])].map(name => [name, name] as const)

  return (
    <Section title="Messages" actions={<GoTo app={app} />}>
      <div className="filters">
        <Select label="Event type" value={filter('type')} onChange={set('type')} options={[['', 'Any'], ...options]} />
        <TextField label="Channel" value={filter('channel')} onChange={set('channel')} />
        <TextField label="Tag" value={filter('tag')} onChange={set('tag')} />
        <DateField label="From" value={filter('after')} onChange={set('after')} />
        <DateField label="To" value={filter('before')} onChange={set('before')} />
        {filtered && <Button onPress={() => setSearch({}, { replace: true })}>Clear</Button>}
      </div>
      <List
        label="Messages"
        pages={pages}
        columns={COLUMNS}
        keyOf={message => message.id}
        href={message => `/app/${app}/msg/${message.id}`}
        empty={
          filtered ? (
            <Empty title="No message like that." />
          ) : (
            <Empty title="No message yet.">
              {onSend && (
                <>
                  <p>Your back end sends them; you can also send one from here.</p>
                  <Button look="primary" onPress={onSend}>
                    Send a message
                  </Button>
                </>
              )}
            </Empty>
          )
        }
      />
    </Section>
  )
}

// Straight to a message by the id from a log line.
function GoTo({ app }: { app: string }) {
  const [, navigate] = useLocation()
  const [id, setId] = useState('')
  function submit(event: FormEvent) {
    event.preventDefault()
    if (id.trim()) navigate(`/app/${app}/msg/${encodeURIComponent(id.trim())}`)
  }
  return (
    <form onSubmit={submit} className="row">
      <TextField label="Message or event id" value={id} onChange={setId} placeholder="msg_…" mono />
      <Button type="submit">Open</Button>
    </form>
  )
}
