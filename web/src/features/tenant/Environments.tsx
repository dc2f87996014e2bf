import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useAccess } from '@/api/access'
import { api, take, type Schemas } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { usePages } from '@/api/pages'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ActionDialog, Dialog } from '@/ui/Dialog'
import { Checkbox, TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { ActionMenu } from '@/ui/Menu'
import { Section } from '@/ui/Page'
import { Badge, Empty, Note } from '@/ui/State'
import { Ago } from '@/ui/Time'
import { tell } from '@/ui/Toast'

type Environment = Schemas['EnvironmentOut']
type Open = { kind: 'new' } | { kind: 'rename' | 'delete'; environment: Environment }

export default function Environments() {
  const { mayOwn, tenant } = useAccess()
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  const pages = usePages<Environment>(['environment'], iterator =>
    take(api.GET('/api/v1/environment', { params: { query: { limit: 100, iterator } } })),
  )
  // Keys of the first environment see to all of them, keys of the others to none.
  const mayChange = mayOwn && pages.items.some(one => one.isRoot && one.id === tenant)
  const columns: Column<Environment>[] = [
    { title: 'Name', width: 'minmax(0, 3fr)', cell: one => one.name },
    {
      title: 'Kind',
      width: '12rem',
      cell: one => (
        <span className="row">
          {one.isRoot && <Badge tone="quiet">First</Badge>}
          {one.id === tenant && <Badge tone="good">Shown here</Badge>}
        </span>
      ),
    },
    { title: 'Id', width: 'minmax(0, 3fr)', cell: one => <code className="quiet">{one.id}</code> },
    { title: 'Created', named: true, width: '8rem', align: 'end', cell: one => <Ago at={one.createdAt} /> },
    {
      title: 'Action',
      width: '6rem',
      align: 'end',
      cell: one =>
        mayChange && (
          <ActionMenu
            label={`More for ${one.name}`}
            actions={[
              { text: 'Rename…', run: () => setOpen({ kind: 'rename', environment: one }) },
              ...(one.isRoot ? [] : [{ text: 'Delete…', danger: true, run: () => setOpen({ kind: 'delete', environment: one }) }]),
            ]}
          />
        ),
    },
  ]
  return (
    <Section
      title="Environments"
      actions={
        mayChange && (
          <Button look="primary" onPress={() => setOpen({ kind: 'new' })}>
            <Icon name="plus" />
            New environment
          </Button>
        )
      }
    >
      <p className="quiet">
        Each has API keys and data of its own, for example one for production and one for tests. Members, plan and quotas are shared.
        {mayOwn && pages.items.length > 0 && !mayChange && ' Only from the first one they can be changed.'}
      </p>
      <List label="Environments" pages={pages} columns={columns} keyOf={one => one.id} empty={<Empty title="No environment." />} />
      {open?.kind === 'new' && <NewDialog current={tenant} onClose={close} />}
      {open?.kind === 'rename' && <RenameDialog environment={open.environment} onClose={close} />}
      {open?.kind === 'delete' && <DeleteDialog environment={open.environment} onClose={close} />}
    </Section>
  )
}

function useChanged() {
  const queries = useQueryClient()
  return async () => {
    await queries.invalidateQueries({ queryKey: ['environment'] })
    await queries.invalidateQueries({ queryKey: ['tenant'] })
  }
}

function NewDialog({ current, onClose }: { current: string; onClose: () => void }) {
  const changed = useChanged()
  const [name, setName] = useState('')
  const [copied, setCopied] = useState(true)
  const [made, setMade] = useState<Schemas['NewEnvironmentOut']>()
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)

  async function submit(event: FormEvent) {
    event.preventDefault()
    try {
      setMade(await take(api.POST('/api/v1/environment', { body: { name: name.trim(), copyFrom: copied ? current : null } })))
      await changed()
    } catch (cause) {
      setError(cause)
    }
  }

  if (made)
    return (
      <Dialog title={`${made.name} was created`} onClose={onClose}>
        <p>This is its API key. Copy it now: it is not shown again.</p>
        <CodeBlock text={made.apiKey} label="The key" />
        <div className="dialog-actions">
          <Button look="primary" onPress={onClose}>
            Done
          </Button>
        </div>
      </Dialog>
    )
  return (
    <Dialog title="New environment" onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <TextField label="Name" value={name} onChange={setName} error={faults.name} placeholder="test" autoFocus />
        <Checkbox isSelected={copied} onChange={setCopied} hint="As they are now; later changes are each one’s own.">
          With the event types and settings of this one
        </Checkbox>
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isDisabled={name.trim() === ''}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function RenameDialog({ environment, onClose }: { environment: Environment; onClose: () => void }) {
  const changed = useChanged()
  const [name, setName] = useState(environment.name)
  return (
    <ActionDialog
      title={`Rename ${environment.name}`}
      action="Save"
      disabled={name.trim() === ''}
      onClose={onClose}
      run={async () => {
        const params = { path: { environment_id: environment.id } }
        await take(api.PATCH('/api/v1/environment/{environment_id}', { params, body: { name: name.trim() } }))
        await changed()
        tell.done('Changes saved.')
      }}
    >
      <TextField label="Name" value={name} onChange={setName} autoFocus />
    </ActionDialog>
  )
}

function DeleteDialog({ environment, onClose }: { environment: Environment; onClose: () => void }) {
  const changed = useChanged()
  return (
    <ActionDialog
      title={`Delete ${environment.name}?`}
      action="Delete it"
      danger
      typeToConfirm={environment.name}
      onClose={onClose}
      run={async () => {
        const params = { path: { environment_id: environment.id }, query: { name: environment.name } }
        await take(api.DELETE('/api/v1/environment/{environment_id}', { params }))
        await changed()
        tell.done(`${environment.name} is gone; its data are being removed.`)
      }}
    >
      <p>Its keys stop working at once. Its applications, messages and everything else it has are removed. This cannot be undone.</p>
    </ActionDialog>
  )
}
