import { useState, type FormEvent } from 'react'
import { api, take, type Attempt, type Endpoint } from '@/api/client'
import { messageOf } from '@/api/error'
import { useEventTypes } from '@/api/queries'
import { examplePayload } from '@/lib/example'
import { isJson } from '@/lib/json'
import { AttemptOutcome } from '@/ui/Attempt'
import { Button } from '@/ui/Button'
import { Body } from '@/ui/Code'
import { Select, TextField } from '@/ui/Field'
import { Facts } from '@/ui/Page'
import { Note } from '@/ui/State'

// One attempt, at once, whatever the endpoint's filters and state; its outcome stands beside it.
export function TestPanel({ app, endpoint }: { app: string; endpoint: Endpoint }) {
  const catalogue = useEventTypes()
  const types = (catalogue.data ?? []).filter(type => !type.archived)
  const [chosen, setChosen] = useState<string>()
  const [edited, setEdited] = useState<string>()
  const [busy, setBusy] = useState(false)
  const [outcome, setOutcome] = useState<Attempt>()
  const [error, setError] = useState<unknown>()
  const type = chosen ?? endpoint.eventTypes?.[0] ?? types[0]?.name ?? 'test.event'
  const payload = edited ?? examplePayload(types.find(one => one.name === type)?.schemas)
  const wrong = isJson(payload) ? undefined : 'This is no JSON.'

  async function submit(event: FormEvent) {
    event.preventDefault()
    setBusy(true)
    setOutcome(undefined)
    setError(undefined)
    try {
      setOutcome(
        await take(
          api.POST('/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg/test-attempt', {
            params: { path: { app_id: app, endpoint_id: endpoint.id } },
            body: { eventType: type, payload: JSON.parse(payload) as Record<string, never> },
          }),
        ),
      )
    } catch (cause) {
      setError(cause)
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className="halves">
      <form onSubmit={submit} className="stack">
        <h2>Send a test event</h2>
        <p className="hint">One attempt at once, whatever this endpoint has chosen. It is signed like any other; nothing of it is kept.</p>
        {types.length > 0 ? (
          <Select
            label="Event type"
            value={type}
            onChange={name => {
              setChosen(name)
              setEdited(undefined)
            }}
            options={[...new Set([type, ...types.map(one => one.name)])].sort().map(name => [name, name] as const)}
          />
        ) : (
          <TextField label="Event type" value={type} onChange={setChosen} mono />
        )}
        <TextField label="Payload" value={payload} onChange={setEdited} error={wrong} rows={12} mono />
        <div>
          <Button type="submit" look="primary" isDisabled={busy || wrong !== undefined}>
            {busy ? 'Waiting for the answer…' : 'Send'}
          </Button>
        </div>
      </form>
      <section className="stack" aria-live="polite" aria-label="What came of it">
        <h2>What came of it</h2>
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        {outcome ? (
          <>
            <Facts
              facts={[
                ['Outcome', <AttemptOutcome attempt={outcome} />],
                ['Took', `${outcome.responseDurationMs} ms`],
              ]}
            />
            <h3>{outcome.responseStatusCode === 0 ? 'What went wrong' : 'Answer'}</h3>
            <Body text={outcome.response} label="Answer" />
          </>
        ) : (
          error === undefined && (
            <p className="quiet">{busy ? 'The request is on its way.' : 'The answer of the endpoint shows here as soon as it comes.'}</p>
          )
        )}
      </section>
    </div>
  )
}
