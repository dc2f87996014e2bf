import { useState } from 'react'
import { api, take, type Schemas } from '@/api/client'
import { useFilters } from '@/api/filters'
import { usePages } from '@/api/pages'
import { fromField } from '@/lib/time'
import { Button } from '@/ui/Button'
import { Copyable } from '@/ui/Code'
import { Dialog } from '@/ui/Dialog'
import { DateField, TextField } from '@/ui/Field'
import { List, type Column } from '@/ui/List'
import { Facts, Section } from '@/ui/Page'
import { Empty } from '@/ui/State'
import { Time } from '@/ui/Time'

type Entry = Schemas['AuditLogOut']

const ACTORS: Record<string, string> = {
  'api-key': 'API key',
  portal: 'Portal link',
  jwt: 'Token of another server',
  poller: 'Poller’s token',
  operator: 'Operator',
  member: 'Member',
  'command-line': 'Command line',
}

function actorOf(entry: Entry) {
  const kind = ACTORS[entry.actor.kind] ?? entry.actor.kind
  return entry.actor.name ? `${entry.actor.name} (${kind.toLowerCase()})` : kind
}

// Who did what to which object. The filters are in the address.
export default function AuditLog() {
  const filters = useFilters()
  const [shown, setShown] = useState<Entry>()
  const query = {
    actor_id: filters.get('actor') || undefined,
    action: filters.get('action') || undefined,
    object_id: filters.get('object') || undefined,
    after: fromField(filters.get('after')),
    before: fromField(filters.get('before')),
  }
  const pages = usePages<Entry>(['audit-log', filters.text], iterator =>
    take(api.GET('/api/v1/audit-log', { params: { query: { ...query, limit: 100, iterator } } })),
  )
  const columns: Column<Entry>[] = [
    {
      title: 'Time',
      width: '10rem',
      cell: entry => (
        <button type="button" className="row-link" onClick={() => setShown(entry)}>
          <Time at={entry.createdAt} />
        </button>
      ),
    },
    { title: 'Action', width: 'minmax(0, 3fr)', cell: entry => <code>{entry.action}</code> },
    { title: 'Who', width: 'minmax(0, 2fr)', cell: actorOf },
    { title: 'Object', width: 'minmax(0, 3fr)', cell: entry => entry.object.id && <code className="quiet">{entry.object.id}</code> },
    { title: 'From', named: true, width: '9rem', cell: entry => entry.address },
  ]
  return (
    <Section title="Audit log" actions={<Button onPress={pages.reload}>Refresh</Button>}>
      <div className="filters">
        <TextField label="Action" placeholder="endpoint.create" value={filters.get('action')} onChange={filters.set('action')} />
        <TextField label="Who" placeholder="key_…" value={filters.get('actor')} onChange={filters.set('actor')} />
        <TextField label="Object" placeholder="app_…, ep_…" value={filters.get('object')} onChange={filters.set('object')} />
        <DateField label="After" value={filters.get('after')} onChange={filters.set('after')} />
        <DateField label="Before" value={filters.get('before')} onChange={filters.set('before')} />
        {filters.any && <Button onPress={filters.clear}>Clear</Button>}
      </div>
      <List
        label="Audit log"
        pages={pages}
        columns={columns}
        keyOf={entry => entry.id}
        empty={
          <Empty title={filters.any ? 'Nothing like that.' : 'Nothing yet.'}>
            <p>Every change is written here, with who made it.</p>
          </Empty>
        }
      />
      {shown && <EntryDialog entry={shown} onClose={() => setShown(undefined)} />}
    </Section>
  )
}

function EntryDialog({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  return (
    <Dialog title={entry.action} onClose={onClose}>
      <Facts
        facts={[
          ['Time', <Time at={entry.createdAt} />],
          ['Who', actorOf(entry)],
          ...(entry.actor.id ? [['Id of who', <Copyable text={entry.actor.id} />] as [string, React.ReactNode]] : []),
          ['Object', entry.object.id ? <Copyable text={entry.object.id} /> : entry.object.kind],
          ...(entry.fields.length > 0 ? [['Set', entry.fields.join(', ')] as [string, React.ReactNode]] : []),
          ...(entry.appId ? [['Application', <Copyable text={entry.appId} />] as [string, React.ReactNode]] : []),
          ['Address', entry.address ?? 'the server itself'],
          ['Program', entry.userAgent ?? 'unknown'],
          ['Id', <Copyable text={entry.id} />],
        ]}
      />
      <div className="dialog-actions">
        <Button onPress={onClose}>Close</Button>
      </div>
    </Dialog>
  )
}
