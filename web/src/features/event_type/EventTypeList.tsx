import { useState } from 'react'
import { useAccess } from '@/api/access'
import { useFilters } from '@/api/filters'
import { useEventTypes } from '@/api/queries'
import type { EventType } from '@/api/client'
import { treeOf, type Branch } from '@/lib/tree'
import { Button, LinkButton } from '@/ui/Button'
import { Checkbox, TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { Page } from '@/ui/Page'
import { Badge, Empty, Failure, Skeleton } from '@/ui/State'
import { Link } from 'wouter'
import { ImportDialog } from './ImportDialog'

export default function EventTypeList() {
  const filters = useFilters()
  const { mayOwn } = useAccess()
  const [importing, setImporting] = useState(false)
  const { data, error, isPending, refetch } = useEventTypes()
  const find = filters.get('find').toLowerCase()
  const archivedToo = filters.get('archived') === 'yes'
  const visible = (data ?? []).filter(
    type => (archivedToo || !type.archived) && (type.name.toLowerCase().includes(find) || type.description.toLowerCase().includes(find)),
  )
  const byName = new Map(visible.map(type => [type.name, type]))
  const create = mayOwn && (
    <>
      <Button onPress={() => setImporting(true)}>Import…</Button>
      <LinkButton href="/event-type/new" look="primary">
        <Icon name="plus" />
        New event type
      </LinkButton>
    </>
  )
  return (
    <Page title="Event types" actions={create}>
      <div className="filters">
        <TextField label="Find" placeholder="Name or description" value={filters.get('find')} onChange={filters.set('find')} />
        <Checkbox isSelected={archivedToo} onChange={on => filters.set('archived')(on ? 'yes' : '')}>
          Archived too
        </Checkbox>
      </div>
      {isPending ? (
        <Skeleton lines={6} />
      ) : error ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : visible.length === 0 ? (
        filters.any ? (
          <Empty title="No event type like that." />
        ) : (
          <Empty title="No event type yet.">
            <p>Event types name what can happen, so that endpoints can choose what they get.</p>
            <div className="actions">{create}</div>
          </Empty>
        )
      ) : (
        <ul className="catalogue">
          {treeOf([...byName.keys()]).map(branch => (
            <Twig key={branch.name} branch={branch} byName={byName} />
          ))}
        </ul>
      )}
      {importing && <ImportDialog onClose={() => setImporting(false)} />}
    </Page>
  )
}

function Twig({ branch, byName }: { branch: Branch; byName: Map<string, EventType> }) {
  const type = byName.get(branch.name)
  return (
    <li>
      <div className="catalogue-row">
        {type ? (
          <>
            <Link href={`/event-type/${encodeURIComponent(type.name)}`} className="row-link" aria-label={type.name}>
              {branch.label}
            </Link>
            <span className="quiet grow">{type.description}</span>
            {type.deprecated && <Badge tone="warn">Deprecated</Badge>}
            {type.archived && <Badge tone="quiet">Archived</Badge>}
            {Object.keys(type.schemas ?? {}).length > 0 && <span className="chip">schema</span>}
          </>
        ) : (
          <span className="quiet">{branch.label}</span>
        )}
      </div>
      {branch.children.length > 0 && (
        <ul>
          {branch.children.map(child => (
            <Twig key={child.name} branch={child} byName={byName} />
          ))}
        </ul>
      )}
    </li>
  )
}
