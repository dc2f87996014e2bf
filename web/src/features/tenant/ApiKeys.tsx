import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useAccess } from '@/api/access'
import { api, take, type Schemas } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { usePages } from '@/api/pages'
import { Button, IconButton } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ActionDialog, Dialog } from '@/ui/Dialog'
import { Select, TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { Section } from '@/ui/Page'
import { Empty, Note } from '@/ui/State'
import { Ago, Time } from '@/ui/Time'
import { tell } from '@/ui/Toast'

type Key = Schemas['ApiKeyOut']
type Scope = Schemas['ApiKeyScope']

const SCOPES: readonly (readonly [Scope, string])[] = [
  ['all', 'Everything'],
  ['read', 'Read only'],
  ['send', 'Send messages only'],
]

const DAY_MS = 86_400_000

const ENDS = [
  ['', 'Never'],
  ['7', 'In 7 days'],
  ['30', 'In 30 days'],
  ['365', 'In a year'],
] as const

export function ApiKeys() {
  const queries = useQueryClient()
  const { mayOwn } = useAccess()
  const [creating, setCreating] = useState(false)
  const [deleting, setDeleting] = useState<Key>()
  const pages = usePages<Key>(['api-key', 'list'], iterator =>
    take(api.GET('/api/v1/api-key', { params: { query: { limit: 100, iterator } } })),
  )
  const columns: Column<Key>[] = [
    { title: 'Name', width: 'minmax(0, 3fr)', cell: key => key.name },
    { title: 'May do', width: '11rem', cell: key => SCOPES.find(([scope]) => scope === key.scope)?.[1] ?? key.scope },
    {
      title: 'Last used',
      named: true,
      width: '8rem',
      cell: key => (key.lastUsedAt ? <Ago at={key.lastUsedAt} /> : <span className="quiet">never</span>),
    },
    {
      title: 'Ends',
      named: true,
      width: '10rem',
      cell: key => (key.expiresAt ? <Time at={key.expiresAt} /> : <span className="quiet">never</span>),
    },
    { title: 'Created', named: true, width: '8rem', align: 'end', cell: key => <Ago at={key.createdAt} /> },
    {
      title: 'Action',
      width: '3.500rem',
      align: 'end',
      cell: key =>
        mayOwn && (
          <IconButton label={`Delete ${key.name}`} onPress={() => setDeleting(key)}>
            <Icon name="close" />
          </IconButton>
        ),
    },
  ]
  return (
    <Section
      title="API keys"
      actions={
        mayOwn && (
          <Button look="primary" onPress={() => setCreating(true)}>
            <Icon name="plus" />
            New key
          </Button>
        )
      }
    >
      <List label="API keys" pages={pages} columns={columns} keyOf={key => key.id} empty={<Empty title="No API key." />} />
      {creating && <NewKeyDialog onClose={() => setCreating(false)} />}
      {deleting && (
        <ActionDialog
          title={`Delete ${deleting.name}?`}
          action="Delete it"
          danger
          typeToConfirm={deleting.name}
          onClose={() => setDeleting(undefined)}
          run={async () => {
            await take(api.DELETE('/api/v1/api-key/{key_id}', { params: { path: { key_id: deleting.id } } }))
            await queries.invalidateQueries({ queryKey: ['api-key'] })
            tell.done(`${deleting.name} no longer works.`)
          }}
        >
          <p>
            Whatever uses this key is refused from now on. If it is the one that you signed in with, you are signed out. This cannot be
            undone.
          </p>
        </ActionDialog>
      )}
    </Section>
  )
}

function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Scope>('all')
  const [days, setDays] = useState('')
  const [made, setMade] = useState<string>()
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)

  async function submit(event: FormEvent) {
    event.preventDefault()
    const expiresAt = days ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : null
    try {
      const { key } = await take(api.POST('/api/v1/api-key', { body: { name: name.trim(), scope, expiresAt } }))
      await queries.invalidateQueries({ queryKey: ['api-key'] })
      setMade(key)
    } catch (cause) {
      setError(cause)
    }
  }

  if (made)
    return (
      <Dialog title={`${name.trim()} was created`} onClose={onClose}>
        <p>Copy it now: it is not shown again.</p>
        <CodeBlock text={made} label="The key" />
        <div className="dialog-actions">
          <Button look="primary" onPress={onClose}>
            Done
          </Button>
        </div>
      </Dialog>
    )
  return (
    <Dialog title="New API key" onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <TextField label="Name" value={name} onChange={setName} error={faults.name} hint="Who uses it, for later." autoFocus />
        <Select label="May do" value={scope} onChange={value => setScope(value as Scope)} options={SCOPES} />
        <Select label="Ends" value={days} onChange={setDays} options={ENDS} />
        {error !== undefined && Object.keys(faults).length === 0 && <Note tone="bad">{messageOf(error)}</Note>}
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
