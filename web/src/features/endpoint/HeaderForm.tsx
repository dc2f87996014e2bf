import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, take } from '@/api/client'
import { messageOf } from '@/api/error'
import { Button, IconButton } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { Section } from '@/ui/Page'
import { ActionDialog } from '@/ui/Dialog'
import { Failure, Note, Skeleton } from '@/ui/State'
import { tell } from '@/ui/Toast'

// Headers that every request to the endpoint carries. Those whose value is secret can be replaced, not seen.
export function HeaderForm({ app, endpoint }: { app: string; endpoint: string }) {
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [value, setValue] = useState('')
  const [removing, setRemoving] = useState<string>()
  const [error, setError] = useState<unknown>()
  const path = { app_id: app, endpoint_id: endpoint }
  const headers = useQuery({
    queryKey: ['endpoint', app, endpoint, 'headers'],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers', { params: { path } })),
  })

  async function change(name: string, value: string | null) {
    await take(api.PATCH('/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers', { params: { path }, body: { headers: { [name]: value } } }))
    await queries.invalidateQueries({ queryKey: ['endpoint', app, endpoint, 'headers'] })
    tell.done(value === null ? `${name} was removed.` : `${name} is sent from now on.`)
  }

  async function add(event: FormEvent) {
    event.preventDefault()
    try {
      await change(name.trim(), value)
      setName('')
      setValue('')
      setError(undefined)
    } catch (cause) {
      setError(cause)
    }
  }

  const rows = Object.entries(headers.data?.headers ?? {}).map(([name, value]) => ({ name, value: value as string | null }))
  for (const name of headers.data?.sensitive ?? []) if (!rows.some(row => row.name === name)) rows.push({ name, value: null })
  return (
    <Section title="Own headers">
      <div className="form">
        {headers.error && <Failure error={headers.error} retry={() => void headers.refetch()} />}
        {headers.isPending ? (
          <Skeleton lines={2} />
        ) : rows.length === 0 ? (
          <p className="quiet">None. Requests carry those of the signature only.</p>
        ) : (
          <ul className="plain-list">
            {rows.map(row => (
              <li key={row.name}>
                <code>{row.name}</code>
                <span className="quiet grow">{row.value ?? 'hidden'}</span>
                <IconButton label={`Remove ${row.name}`} onPress={() => setRemoving(row.name)}>
                  <Icon name="close" />
                </IconButton>
              </li>
            ))}
          </ul>
        )}
        <form onSubmit={add} className="filters">
          <TextField label="Header" value={name} onChange={setName} placeholder="X-Tenant" mono />
          <TextField label="Value" value={value} onChange={setValue} mono />
          <Button type="submit" isDisabled={name.trim() === ''}>
            Set
          </Button>
        </form>
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
      </div>
      {removing && (
        <ActionDialog
          title={`Remove ${removing}?`}
          action="Remove it"
          danger
          onClose={() => setRemoving(undefined)}
          run={() => change(removing, null)}
        >
          <p>Requests to this endpoint no longer carry it.</p>
        </ActionDialog>
      )}
    </Section>
  )
}
