import { useState } from 'react'
import { api, take } from '@/api/client'
import { usePages } from '@/api/pages'
import { Button } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { List, type Column } from '@/ui/List'
import { Page } from '@/ui/Page'
import { Badge, Empty } from '@/ui/State'
import { Ago } from '@/ui/Time'
import type { Tenant } from './queries'
import { TenantDialog } from './TenantDialog'

export function TenantState({ tenant }: { tenant: Tenant }) {
  return <Badge tone={tenant.suspendedAt ? 'warn' : 'good'}>{tenant.suspendedAt ? 'Suspended' : 'Active'}</Badge>
}

const COLUMNS: Column<Tenant>[] = [
  { title: 'Name', width: 'minmax(0, 3fr)', cell: tenant => tenant.name },
  { title: 'State', width: '7rem', cell: tenant => <TenantState tenant={tenant} /> },
  { title: 'Plan', named: true, width: '8rem', cell: tenant => tenant.plan ?? <span className="quiet">none</span> },
  { title: 'Id', width: 'minmax(0, 3fr)', cell: tenant => <code className="quiet">{tenant.id}</code> },
  { title: 'Created', named: true, width: '8rem', align: 'end', cell: tenant => <Ago at={tenant.createdAt} /> },
]

export default function TenantList() {
  const [creating, setCreating] = useState(false)
  const pages = usePages<Tenant>(['tenant', 'list'], iterator =>
    take(api.GET('/admin/v1/tenant', { params: { query: { limit: 100, iterator, order: 'descending' } } })),
  )
  const create = (
    <Button look="primary" onPress={() => setCreating(true)}>
      <Icon name="plus" />
      New tenant
    </Button>
  )
  return (
    <Page title="Tenants" actions={create}>
      <List
        label="Tenants"
        pages={pages}
        columns={COLUMNS}
        keyOf={tenant => tenant.id}
        href={tenant => `/tenant/${tenant.id}`}
        empty={
          <Empty title="No tenant yet.">
            <p>A tenant is a customer of this instance: it has members, API keys, event types and applications.</p>
          </Empty>
        }
      />
      {creating && <TenantDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}
