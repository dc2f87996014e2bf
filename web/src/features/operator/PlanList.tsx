import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, take, type Schemas } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { count } from '@/lib/bytes'
import { QUOTAS } from '@/lib/quota'
import { Button } from '@/ui/Button'
import { ActionDialog, Dialog } from '@/ui/Dialog'
import { TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { ActionMenu } from '@/ui/Menu'
import { Page } from '@/ui/Page'
import { Empty, Failure, Note, Skeleton } from '@/ui/State'
import { tell } from '@/ui/Toast'
import { usePlans } from './queries'
import { QuotaFields, quotasOf, textsOf } from './QuotaFields'

type Plan = Schemas['PlanOut']
type Open = { kind: 'new' } | { kind: 'edit' | 'delete'; plan: Plan }

function summary(quotas: Schemas['Quotas']) {
  const named = QUOTAS.filter(([name]) => quotas[name] !== undefined)
  return named.map(([name, label, show]) => `${label.toLowerCase()}: ${show(quotas[name]!)}`).join(' · ') || 'no limits'
}

export default function PlanList() {
  const queries = useQueryClient()
  const { data, error, refetch } = usePlans()
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  const create = (
    <Button look="primary" onPress={() => setOpen({ kind: 'new' })}>
      <Icon name="plus" />
      New plan
    </Button>
  )
  return (
    <Page title="Plans" actions={create}>
      <p>What the tenants that have a plan may use. A tenant’s own quotas go before it.</p>
      {error ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={4} />
      ) : data.data.length === 0 ? (
        <Empty title="No plan yet." />
      ) : (
        <ul className="plain-list" aria-label="Plans">
          {data.data.map(plan => (
            <li key={plan.name} className="roomy">
              <div className="grow">
                <strong>{plan.name}</strong>{' '}
                <span className="quiet">{plan.tenants === 1 ? '1 tenant' : `${count(plan.tenants)} tenants`}</span>
                <p className="quiet">{summary(plan.quotas)}</p>
              </div>
              <ActionMenu
                label={`More for ${plan.name}`}
                actions={[
                  { text: 'Edit…', run: () => setOpen({ kind: 'edit', plan }) },
                  { text: 'Delete…', danger: true, run: () => setOpen({ kind: 'delete', plan }) },
                ]}
              />
            </li>
          ))}
        </ul>
      )}
      {open?.kind === 'new' && <PlanDialog onClose={close} />}
      {open?.kind === 'edit' && <PlanDialog plan={open.plan} onClose={close} />}
      {open?.kind === 'delete' && (
        <ActionDialog
          title={`Delete ${open.plan.name}?`}
          action="Delete it"
          danger
          typeToConfirm={open.plan.name}
          onClose={close}
          run={async () => {
            await take(api.DELETE('/admin/v1/plan/{plan_name}', { params: { path: { plan_name: open.plan.name } } }))
            await queries.invalidateQueries({ queryKey: ['plan'] })
            tell.done(`${open.plan.name} was deleted.`)
          }}
        >
          <p>A plan that tenants have cannot be deleted: give them another one first.</p>
        </ActionDialog>
      )}
    </Page>
  )
}

function PlanDialog({ plan, onClose }: { plan?: Plan; onClose: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState(plan?.name ?? '')
  const [texts, setTexts] = useState(() => textsOf(plan?.quotas))
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)
  const quotas = quotasOf(texts)

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (!quotas) return
    try {
      await take(api.PUT('/admin/v1/plan/{plan_name}', { params: { path: { plan_name: name.trim() } }, body: { quotas } }))
      await queries.invalidateQueries({ queryKey: ['plan'] })
      await queries.invalidateQueries({ queryKey: ['tenant'] })
      tell.done(plan ? 'Changes saved: they count at once.' : `${name.trim()} was created.`)
      onClose()
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <Dialog title={plan ? `Edit ${plan.name}` : 'New plan'} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        {!plan && <TextField label="Name" value={name} onChange={setName} error={faults.name ?? faults.plan_name} autoFocus />}
        <p className="hint">Empty: no limit.</p>
        <QuotaFields texts={texts} onChange={setTexts} />
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isDisabled={name.trim() === '' || !quotas}>
            {plan ? 'Save' : 'Create'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
