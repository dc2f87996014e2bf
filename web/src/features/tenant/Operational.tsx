import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useAccess } from '@/api/access'
import { api, take, type Schemas } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { usePages } from '@/api/pages'
import { Button } from '@/ui/Button'
import { Copyable } from '@/ui/Code'
import { ActionDialog, Dialog } from '@/ui/Dialog'
import { Checkbox, TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { ActionMenu } from '@/ui/Menu'
import { Section } from '@/ui/Page'
import { Badge, Empty, Failure, Note, Skeleton } from '@/ui/State'
import { tell } from '@/ui/Toast'

type Endpoint = Schemas['OperationalEndpointOut']

const EVENTS = [
  'endpoint.created',
  'endpoint.updated',
  'endpoint.deleted',
  'endpoint.disabled',
  'endpoint.enabled',
  'message.attempt.failing',
  'message.attempt.exhausted',
  'message.attempt.recovered',
  'background_task.finished',
]

type Open = { kind: 'new' } | { kind: 'edit' | 'secret' | 'delete'; endpoint: Endpoint }

// Endpoints of the tenant's own people, which hear what happens to those of its customers.
export function Operational() {
  const queries = useQueryClient()
  const { mayOwn } = useAccess()
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  const pages = usePages<Endpoint>(['operational', 'list'], iterator =>
    take(api.GET('/api/v1/operational-webhook/endpoint', { params: { query: { limit: 100, iterator } } })),
  )
  const columns: Column<Endpoint>[] = [
    { title: 'URL', width: 'minmax(0, 3fr)', cell: endpoint => endpoint.url },
    {
      title: 'State',
      width: '6.500rem',
      cell: endpoint => <Badge tone={endpoint.disabled ? 'quiet' : 'good'}>{endpoint.disabled ? 'Disabled' : 'Active'}</Badge>,
    },
    { title: 'Events', width: 'minmax(0, 3fr)', cell: endpoint => endpoint.eventTypes?.join(', ') ?? <span className="quiet">all</span> },
    {
      title: 'Action',
      width: '6rem',
      align: 'end',
      cell: endpoint =>
        mayOwn && (
          <ActionMenu
            label={`More for ${endpoint.url}`}
            actions={[
              { text: 'Edit…', run: () => setOpen({ kind: 'edit', endpoint }) },
              { text: 'Secret…', run: () => setOpen({ kind: 'secret', endpoint }) },
              { text: 'Delete…', danger: true, run: () => setOpen({ kind: 'delete', endpoint }) },
            ]}
          />
        ),
    },
  ]
  const create = mayOwn && (
    <Button look="primary" onPress={() => setOpen({ kind: 'new' })}>
      <Icon name="plus" />
      New endpoint
    </Button>
  )
  return (
    <Section title="Operational webhooks" actions={pages.items.length > 0 && create}>
      <p className="quiet">
        Tell your own systems what happens here: an endpoint was disabled, a message could not be delivered, a task is done.
      </p>
      <List
        label="Operational endpoints"
        pages={pages}
        columns={columns}
        keyOf={endpoint => endpoint.id}
        empty={<Empty title="No operational endpoint yet.">{create}</Empty>}
      />
      {open?.kind === 'new' && <EndpointDialog onClose={close} />}
      {open?.kind === 'edit' && <EndpointDialog endpoint={open.endpoint} onClose={close} />}
      {open?.kind === 'secret' && <SecretDialog endpoint={open.endpoint} onClose={close} />}
      {open?.kind === 'delete' && (
        <ActionDialog
          title="Delete this endpoint?"
          action="Delete it"
          danger
          typeToConfirm={new URL(open.endpoint.url).host}
          onClose={close}
          run={async () => {
            await take(
              api.DELETE('/api/v1/operational-webhook/endpoint/{endpoint_id}', { params: { path: { endpoint_id: open.endpoint.id } } }),
            )
            await queries.invalidateQueries({ queryKey: ['operational'] })
            tell.done('The endpoint was deleted.')
          }}
        >
          <p>{open.endpoint.url} hears nothing any more. This cannot be undone.</p>
        </ActionDialog>
      )}
    </Section>
  )
}

function EndpointDialog({ endpoint, onClose }: { endpoint?: Endpoint; onClose: () => void }) {
  const queries = useQueryClient()
  const [url, setUrl] = useState(endpoint?.url ?? '')
  const [description, setDescription] = useState(endpoint?.description ?? '')
  const [events, setEvents] = useState(endpoint?.eventTypes ?? [])
  const [disabled, setDisabled] = useState(endpoint?.disabled ?? false)
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)

  async function submit(event: FormEvent) {
    event.preventDefault()
    const body = {
      url: url.trim(),
      description,
      disabled,
      eventTypes: events.length > 0 ? events : null,
      ...(endpoint ? { uid: endpoint.uid, throttleRate: endpoint.throttleRate, metadata: endpoint.metadata } : {}),
    }
    try {
      await (endpoint
        ? take(api.PUT('/api/v1/operational-webhook/endpoint/{endpoint_id}', { params: { path: { endpoint_id: endpoint.id } }, body }))
        : take(api.POST('/api/v1/operational-webhook/endpoint', { body })))
      await queries.invalidateQueries({ queryKey: ['operational'] })
      tell.done(endpoint ? 'Changes saved.' : 'The endpoint was created.')
      onClose()
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <Dialog title={endpoint ? 'Edit operational endpoint' : 'New operational endpoint'} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <TextField label="URL" value={url} onChange={setUrl} error={faults.url} autoFocus mono />
        <TextField label="Description" value={description} onChange={setDescription} error={faults.description} />
        <fieldset>
          <legend>Events</legend>
          <p className="hint">{events.length === 0 ? 'None chosen: all.' : `${events.length} chosen.`}</p>
          {EVENTS.map(name => (
            <Checkbox
              key={name}
              isSelected={events.includes(name)}
              onChange={on => setEvents(on ? [...events, name] : events.filter(other => other !== name))}
            >
              {name}
            </Checkbox>
          ))}
        </fieldset>
        {endpoint && (
          <Checkbox isSelected={disabled} onChange={setDisabled}>
            Disabled
          </Checkbox>
        )}
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isDisabled={url.trim() === ''}>
            {endpoint ? 'Save' : 'Create'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function SecretDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const secret = useQuery({
    queryKey: ['operational', endpoint.id, 'secret'],
    queryFn: () =>
      take(api.GET('/api/v1/operational-webhook/endpoint/{endpoint_id}/secret', { params: { path: { endpoint_id: endpoint.id } } })),
    gcTime: 0,
  })
  return (
    <Dialog title="Signing secret" onClose={onClose}>
      <p className="quiet">{endpoint.url}</p>
      {secret.error ? <Failure error={secret.error} /> : secret.data ? <Copyable text={secret.data.key} /> : <Skeleton lines={1} />}
      <div className="dialog-actions">
        <Button onPress={onClose}>Close</Button>
      </div>
    </Dialog>
  )
}
