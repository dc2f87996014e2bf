import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useLocation } from 'wouter'
import { type Application } from '@/api/client'
import { messageOf } from '@/api/error'
import { useEventTypes } from '@/api/queries'
import { send } from '@/api/send'
import { examplePayload } from '@/lib/example'
import { isJson } from '@/lib/json'
import { sendSnippets } from '@/lib/snippets'
import { Button } from '@/ui/Button'
import { Snippets } from '@/ui/Code'
import { Dialog } from '@/ui/Dialog'
import { Select, TextField } from '@/ui/Field'
import { Note } from '@/ui/State'
import { tell } from '@/ui/Toast'

export function SendDialog({ application, onClose }: { application: Application; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  const catalogue = useEventTypes()
  const types = (catalogue.data ?? []).filter(type => !type.archived)
  const [chosen, setChosen] = useState<string>()
  const [edited, setEdited] = useState<string>()
  const [error, setError] = useState<unknown>()
  const type = chosen ?? types[0]?.name ?? 'test.event'
  const payload = edited ?? examplePayload(types.find(one => one.name === type)?.schemas)
  const wrong = isJson(payload) ? undefined : 'This is no JSON.'

  async function submit(event: FormEvent) {
    event.preventDefault()
    try {
      const message = await send(application.id, type, payload)
      await queries.invalidateQueries({ queryKey: ['message', application.id] })
      tell.done('The message was accepted.')
      onClose()
      navigate(`/app/${application.id}/msg/${message.id}`)
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <Dialog title="Send a message" onClose={onClose} wide>
      <form onSubmit={submit} className="stack">
        {types.length > 0 ? (
          <Select
            label="Event type"
            value={type}
            onChange={name => {
              setChosen(name)
              setEdited(undefined)
            }}
            options={types.map(one => [one.name, one.name] as const)}
          />
        ) : (
          <TextField label="Event type" value={type} onChange={setChosen} mono />
        )}
        <TextField label="Payload" value={payload} onChange={setEdited} error={wrong} rows={8} mono />
        <details>
          <summary>The same from your code</summary>
          <Snippets label="Send a message" snippets={sendSnippets(location.origin, application.uid ?? application.id, type, payload)} />
        </details>
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isDisabled={wrong !== undefined}>
            Send
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
