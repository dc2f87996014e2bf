import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useLocation } from 'wouter'
import { api, take } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Select, TextField } from '@/ui/Field'
import { Note } from '@/ui/State'
import { tell } from '@/ui/Toast'
import { usePlans, type Tenant } from './queries'
import { QuotaFields, quotasOf, textsOf } from './QuotaFields'

// Makes a tenant, or changes the one that is given.
export function TenantDialog({ tenant, onClose }: { tenant?: Tenant; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  const plans = usePlans()
  const [name, setName] = useState(tenant?.name ?? '')
  const [plan, setPlan] = useState(tenant?.plan ?? '')
  const [texts, setTexts] = useState(() => textsOf(tenant?.quotas))
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)
  const quotas = quotasOf(texts)

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (!quotas) return
    const body = { name: name.trim(), plan: plan || null, quotas }
    try {
      const saved = await (tenant
        ? take(api.PATCH('/admin/v1/tenant/{tenant_id}', { params: { path: { tenant_id: tenant.id } }, body }))
        : take(api.POST('/admin/v1/tenant', { body })))
      await queries.invalidateQueries({ queryKey: ['tenant'] })
      tell.done(tenant ? 'Changes saved.' : `${saved.name} was created.`)
      onClose()
      if (!tenant) navigate(`/tenant/${saved.id}`)
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <Dialog title={tenant ? `Edit ${tenant.name}` : 'New tenant'} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <TextField label="Name" value={name} onChange={setName} error={faults.name} autoFocus />
        <Select
          label="Plan"
          value={plan}
          onChange={setPlan}
          options={[['', 'none'], ...(plans.data?.data ?? []).map(one => [one.name, one.name] as const)]}
          hint="Says what the tenant may use."
        />
        <details open={Object.keys(tenant?.quotas ?? {}).length > 0}>
          <summary>Quotas of its own</summary>
          <div className="stack details-body">
            <p className="hint">They go before those of the plan. Empty: the plan’s.</p>
            <QuotaFields texts={texts} onChange={setTexts} />
          </div>
        </details>
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isDisabled={name.trim() === '' || !quotas}>
            {tenant ? 'Save' : 'Create'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
