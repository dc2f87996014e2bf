// The payload filter of an endpoint, as JSON, with a place to try it on a payload.
import { useState } from 'react'
import { api, take, type Schemas } from '@/api/client'
import { messageOf } from '@/api/error'
import { isJson } from '@/lib/json'
import { Button } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import { Note } from '@/ui/State'

interface FilterFieldProps {
  app: string
  endpoint?: string // without, there is nothing to try it with yet
  value: string
  onChange: (value: string) => void
  error?: string | undefined
}

const EXAMPLE = '{"path": "amount", "op": "gte", "value": 1000}'

export function FilterField({ app, endpoint, value, onChange, error }: FilterFieldProps) {
  const [payload, setPayload] = useState('{"amount": 1200}')
  const [outcome, setOutcome] = useState<{ matches: boolean; reason: string } | { error: unknown }>()
  const isEmpty = value.trim() === ''
  const wrong = !isEmpty && !isJson(value) ? 'This is no JSON.' : error

  async function attempt() {
    try {
      setOutcome(
        await take(
          api.POST('/api/v1/app/{app_id}/endpoint/{endpoint_id}/filter/test', {
            params: { path: { app_id: app, endpoint_id: endpoint! } },
            body: { payload: JSON.parse(payload) as Record<string, never>, filter: JSON.parse(value) as Schemas['PayloadFilter'] },
          }),
        ),
      )
    } catch (cause) {
      setOutcome({ error: cause })
    }
  }

  return (
    <div className="stack">
      <TextField
        label="Payload filter"
        value={value}
        onChange={onChange}
        error={wrong}
        rows={3}
        placeholder={EXAMPLE}
        hint={
          <>
            Only messages whose payload fits: a condition, or <code>all</code>, <code>any</code>, <code>not</code> of them. Empty: all
            messages.
          </>
        }
        mono
      />
      {endpoint && !isEmpty && !wrong && (
        <div className="filters">
          <TextField
            label="Try it on a payload"
            value={payload}
            onChange={setPayload}
            error={isJson(payload) ? undefined : 'This is no JSON.'}
            mono
          />
          <Button onPress={() => void attempt()} isDisabled={!isJson(payload)}>
            Try
          </Button>
          {outcome &&
            ('error' in outcome ? (
              <Note tone="bad">{messageOf(outcome.error)}</Note>
            ) : (
              <Note tone={outcome.matches ? 'good' : 'warn'}>
                {outcome.matches ? 'It would get this.' : 'It would not get this.'} {outcome.reason}
              </Note>
            ))}
        </div>
      )}
    </div>
  )
}
