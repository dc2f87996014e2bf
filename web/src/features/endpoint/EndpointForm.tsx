import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useLocation } from 'wouter'
import { api, take, type Endpoint, type Schemas } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { isPoller } from '@/lib/endpoint'
import { isJson } from '@/lib/json'
import { parseSchedule, schedule } from '@/lib/time'
import { Button, LinkButton } from '@/ui/Button'
import { Checkbox, Select, TextField } from '@/ui/Field'
import { Note } from '@/ui/State'
import { tell } from '@/ui/Toast'
import { EventTypePicker } from './EventTypePicker'
import { FilterField } from './FilterField'

// Makes an endpoint, or changes the one given.
export function EndpointForm({ app, endpoint, url: first = '' }: { app: string; endpoint?: Endpoint; url?: string }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  const [fetched, setFetched] = useState(endpoint !== undefined && isPoller(endpoint))
  const [url, setUrl] = useState(endpoint?.url ?? first)
  const [description, setDescription] = useState(endpoint?.description ?? '')
  const [uid, setUid] = useState(endpoint?.uid ?? '')
  const [eventTypes, setEventTypes] = useState(endpoint?.eventTypes ?? [])
  const [channels, setChannels] = useState((endpoint?.channels ?? []).join(', '))
  const [rate, setRate] = useState(endpoint?.throttleRate?.toString() ?? '')
  const [ordered, setOrdered] = useState(endpoint?.ordering === 'fifo')
  const [retries, setRetries] = useState(endpoint?.retrySchedule ? schedule(endpoint.retrySchedule) : '')
  const [filter, setFilter] = useState(endpoint?.filter ? JSON.stringify(endpoint.filter, null, 2) : '')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const [detailed] = useState(Boolean(rate || ordered || retries || uid || filter))
  const faults = fieldsOf(error)
  const parsed = parseSchedule(retries)
  const retryFault = 'wrong' in parsed ? `“${parsed.wrong}” is no time like 30 s, 5 min or 2 h.` : faults.retrySchedule

  async function submit(event: FormEvent) {
    event.preventDefault()
    if ('wrong' in parsed || busy || (filter.trim() !== '' && !isJson(filter))) return
    setBusy(true)
    const list = channels.split(/[\s,]+/).filter(Boolean)
    const body = {
      ...(fetched ? (endpoint ? {} : { type: 'poller' as const }) : { url: url.trim() }),
      description,
      uid: uid || null,
      eventTypes: eventTypes.length > 0 ? eventTypes : null,
      channels: list.length > 0 ? list : null,
      throttleRate: rate ? Number(rate) : null,
      ordering: ordered ? ('fifo' as const) : null,
      retrySchedule: parsed.seconds.length > 0 ? parsed.seconds : null,
      filter: filter.trim() === '' ? null : (JSON.parse(filter) as Schemas['PayloadFilter']),
    }
    try {
      const path = { app_id: app }
      const saved = await (endpoint
        ? take(api.PATCH('/api/v1/app/{app_id}/endpoint/{endpoint_id}', { params: { path: { ...path, endpoint_id: endpoint.id } }, body }))
        : take(api.POST('/api/v1/app/{app_id}/endpoint', { params: { path }, body })))
      setError(undefined)
      await queries.invalidateQueries({ queryKey: ['endpoint', app] })
      tell.done(endpoint ? 'Changes saved.' : fetched ? 'The endpoint was created.' : 'The endpoint was created. Send it a test event.')
      if (!endpoint) navigate(`/app/${app}/endpoint/${saved.id}${fetched ? '' : '/test'}`)
    } catch (cause) {
      setError(cause)
    } finally {
      setBusy(false)
    }
  }

  return (
    <form onSubmit={submit} className="form">
      {!endpoint && (
        <Select
          label="Messages are"
          value={fetched ? 'fetched' : 'sent'}
          onChange={value => setFetched(value === 'fetched')}
          options={[
            ['sent', 'sent to a URL'],
            ['fetched', 'fetched by the customer'],
          ]}
        />
      )}
      {!fetched && (
        <TextField
          label="URL"
          value={url}
          onChange={setUrl}
          error={faults.url}
          placeholder="https://example.com/webhooks"
          hint="Gets each message as an HTTP POST."
          autoFocus={!endpoint}
          mono
        />
      )}
      <TextField label="Description" value={description} onChange={setDescription} error={faults.description} />
      <EventTypePicker value={eventTypes} onChange={setEventTypes} />
      {faults.eventTypes && <Note tone="bad">{faults.eventTypes}</Note>}
      <TextField
        label="Channels"
        value={channels}
        onChange={setChannels}
        error={faults.channels}
        hint="Only messages sent to one of these; commas between them. Empty: whatever the channel."
      />
      <details open={detailed}>
        <summary>{fetched ? 'Filter, uid' : 'Filter, rate, order, retries, uid'}</summary>
        <div className="stack details-body">
          <FilterField app={app} endpoint={endpoint?.id} value={filter} onChange={setFilter} error={faults.filter} />
          {!fetched && (
            <>
              <TextField
                label="Attempts a second"
                value={rate}
                onChange={text => setRate(text.replace(/\D/g, ''))}
                error={faults.throttleRate}
                inputMode="numeric"
                hint="Empty: as fast as they come."
              />
              <Checkbox
                isSelected={ordered}
                onChange={setOrdered}
                hint="The next message only when the one before arrived or was given up. Slower."
              >
                Keep the order of messages
              </Checkbox>
              <TextField
                label="Retry after"
                value={retries}
                onChange={setRetries}
                error={retryFault}
                placeholder="5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h"
                hint="The waits between attempts. Empty: those of the event type, the tenant or the server, the nearest one."
              />
            </>
          )}
          <TextField label="Uid" value={uid} onChange={setUid} error={faults.uid} hint="Your own id for it." mono />
        </div>
      </details>
      {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
      <div className="form-foot">
        <Button type="submit" look="primary" isDisabled={busy || (!fetched && url.trim() === '')}>
          {endpoint ? 'Save' : 'Create endpoint'}
        </Button>
        {!endpoint && <LinkButton href={`/app/${app}`}>Cancel</LinkButton>}
      </div>
    </form>
  )
}
