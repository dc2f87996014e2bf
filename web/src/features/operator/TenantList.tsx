import { useState } from 'react'
import { api, take } from '@/api/client'
import { useFilters } from '@/api/filters'
import { usePages } from '@/api/pages'
import { count } from '@/lib/bytes'
import { Button } from '@/ui/Button'
import { Select, TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { Page } from '@/ui/Page'
import { Badge, Empty } from '@/ui/State'
import { Ago } from '@/ui/Time'
import type { Tenant } from './queries'
import { TenantDialog } from './TenantDialog'

const STATES = { active: ['Active', 'good'], suspended: ['Suspended', 'warn'], leaving: ['Being removed', 'quiet'] } as const

export function TenantState({ tenant }: { tenant: Tenant }) {
  const [text, tone] = STATES[tenant.state]
  return <Badge tone={tone}>{text}</Badge>
}

const STATE_FILTER = [
  ['', 'Any state'],
  ['active', 'Active'],
  ['suspended', 'Suspended'],
  ['leaving', 'Being removed'],
] as const

const COLUMNS: Column<Tenant>[] = [
  { title: 'Name', width: 'minmax(0, 3fr)', cell: tenant => tenant.name },
  { title: 'State', width: '8rem', cell: tenant => <TenantState tenant={tenant} /> },
  { title: 'Plan', named: true, width: '8rem', cell: tenant => tenant.plan ?? <span className="quiet">none</span> },
  { title: 'Today', named: true, width: '7rem', align: 'end', cell: tenant => count(tenant.messagesToday) },
  { title: 'Id', width: 'minmax(0, 3fr)', cell: tenant => <code className="quiet">{tenant.id}</code> },
  { title: 'Created', named: true, width: '8rem', align: 'end', cell: tenant => <Ago at={tenant.createdAt} /> },
]

export default function TenantList() {
  const [creating, setCreating] = useState(false)
  const filters = useFilters()
  const search = filters.get('find') || undefined
  const state = STATE_FILTER.map(([value]) => value).find(value => value !== '' && value === filters.get('state')) || undefined
  const pages = usePages<Tenant>(['tenant', 'list', filters.text], iterator =>
    take(api.GET('/admin/v1/tenant', { params: { query: { limit: 100, iterator, order: 'descending', search, state } } })),
  )
  const create = (
    <Button look="primary" onPress={() => setCreating(true)}>
      <Icon name="plus" />
      New tenant
    </Button>
  )
  return (
    <Page title="Tenants" actions={create}>
      <div className="filters">
        <TextField label="Find" placeholder="Name, or a whole id" value={filters.get('find')} onChange={filters.set('find')} />
        <Select label="State" value={state ?? ''} onChange={filters.set('state')} options={STATE_FILTER} />
      </div>
      <List
        label="Tenants"
        pages={pages}
        columns={COLUMNS}
        keyOf={tenant => tenant.id}
        href={tenant => `/tenant/${tenant.id}`}
        empty={
          <Empty title={filters.any ? 'No tenant like that.' : 'No tenant yet.'}>
            <p>A tenant is a customer of this instance: it has members, API keys, event types and applications.</p>
          </Empty>
        }
      />
      {creating && <TenantDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}
