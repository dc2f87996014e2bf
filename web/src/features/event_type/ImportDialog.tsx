import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, take } from '@/api/client'
import { messageOf } from '@/api/error'
import { Button } from '@/ui/Button'
import { ActionDialog } from '@/ui/Dialog'
import { Checkbox, TextField } from '@/ui/Field'
import { Note } from '@/ui/State'
import { tell } from '@/ui/Toast'

// The webhooks of an OpenAPI document become event types; first it shows which.
export function ImportDialog({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient()
  const [text, setText] = useState('')
  const [replaceAll, setReplaceAll] = useState(false)
  const [preview, setPreview] = useState<string[]>()
  const [error, setError] = useState<unknown>()

  const send = (dryRun: boolean) => take(api.POST('/api/v1/event-type/import/openapi', { body: { specRaw: text, replaceAll, dryRun } }))

  async function look() {
    setError(undefined)
    try {
      setPreview((await send(true)).data.to_modify.map(type => type.name))
    } catch (cause) {
      setPreview(undefined)
      setError(cause)
    }
  }

  function edit(value: string) {
    setText(value)
    setPreview(undefined)
  }

  return (
    <ActionDialog
      title="Import from OpenAPI"
      action="Import"
      onClose={onClose}
      disabled={preview === undefined}
      run={async () => {
        const { data } = await send(false)
        await queries.invalidateQueries({ queryKey: ['event-type'] })
        tell.done(`${data.modified.length} event types were made or changed.`)
      }}
    >
      <TextField
        label="OpenAPI document"
        value={text}
        onChange={edit}
        rows={8}
        hint="JSON or YAML with webhooks (3.1) or x-webhooks (3.0). Each becomes an event type of its name."
        mono
      />
      <Checkbox
        isSelected={replaceAll}
        onChange={on => (setReplaceAll(on), setPreview(undefined))}
        hint="They can be taken out of the archive again."
      >
        Archive event types that are not in it
      </Checkbox>
      <div>
        <Button onPress={() => void look()} isDisabled={text.trim() === ''}>
          Show what would change
        </Button>
      </div>
      {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
      {preview && (
        <Note>
          {preview.length === 0 ? 'Nothing would change in those named there.' : `${preview.length} would change: ${preview.join(', ')}`}
        </Note>
      )}
    </ActionDialog>
  )
}
