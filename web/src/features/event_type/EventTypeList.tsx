import { useState } from 'react'
import { useAccess } from '@/api/access'
import { useFilters } from '@/api/filters'
import { useEventTypes } from '@/api/queries'
import { Button, LinkButton } from '@/ui/Button'
import { Catalogue } from '@/ui/Catalogue'
import { Checkbox, TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { Page } from '@/ui/Page'
import { Empty, Failure, Skeleton } from '@/ui/State'
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
        <Catalogue types={visible} href={name => `/event-type/${encodeURIComponent(name)}`} />
      )}
      {importing && <ImportDialog onClose={() => setImporting(false)} />}
    </Page>
  )
}
