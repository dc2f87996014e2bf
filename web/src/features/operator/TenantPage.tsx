import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useLocation, useParams } from 'wouter'
import { api, take } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { Button } from '@/ui/Button'
import { CodeBlock, Copyable } from '@/ui/Code'
import { ActionDialog, Dialog } from '@/ui/Dialog'
import { TextField } from '@/ui/Field'
import { ActionMenu } from '@/ui/Menu'
import { Facts, Page } from '@/ui/Page'
import { Failure, Note, Skeleton } from '@/ui/State'
import { Time } from '@/ui/Time'
import { tell } from '@/ui/Toast'
import { QuotasSection, UsageSection } from '@/ui/Usage'
import { useTenantOf, useUsageOf, type Tenant } from './queries'
import { TenantDialog } from './TenantDialog'
import { TenantState } from './TenantList'

const ABOVE: [string, string][] = [['Tenants', '/tenant']]

type Open = 'edit' | 'key' | 'suspend' | 'delete'

export default function TenantPage() {
  const { tenant: id = '' } = useParams()
  const queries = useQueryClient()
  const { data: tenant, error, refetch } = useTenantOf(id)
  const usage = useUsageOf(id)
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)

  async function setSuspended(suspended: boolean) {
    await take(api.PATCH('/admin/v1/tenant/{tenant_id}', { params: { path: { tenant_id: id } }, body: { suspended } }))
    await queries.invalidateQueries({ queryKey: ['tenant'] })
  }

  async function resume(name: string) {
    try {
      await setSuspended(false)
      tell.done(`${name} goes on, with the deliveries that waited.`)
    } catch (cause) {
      tell.failed(cause)
    }
  }

  if (error) return <Page title="Tenant" above={ABOVE} children={<Failure error={error} retry={() => void refetch()} />} />
  if (!tenant) return <Skeleton lines={6} />
  return (
    <Page
      title={tenant.name}
      above={ABOVE}
      note={<TenantState tenant={tenant} />}
      actions={
        <>
          <Button onPress={() => setOpen('edit')}>Edit</Button>
          {tenant.suspendedAt && (
            <Button look="primary" onPress={() => void resume(tenant.name)}>
              Resume
            </Button>
          )}
          <ActionMenu
            label="More for this tenant"
            actions={[
              { text: 'New API key…', run: () => setOpen('key') },
              ...(tenant.suspendedAt ? [] : [{ text: 'Suspend…', danger: true, run: () => setOpen('suspend') }]),
              { text: 'Delete…', danger: true, run: () => setOpen('delete') },
            ]}
          />
        </>
      }
    >
      {tenant.suspendedAt && (
        <Note tone="warn">
          <span>
            Suspended since <Time at={tenant.suspendedAt} />: its requests are refused, its deliveries wait.
          </span>
        </Note>
      )}
      <Facts
        facts={[
          ['Id', <Copyable text={tenant.id} />],
          ['Created', <Time at={tenant.createdAt} />],
          ...tenant.environments.map(one => [`Environment ${one.name}`, <Copyable text={one.id} />] as [string, React.ReactNode]),
          ...(tenant.foreignId ? [['Id elsewhere', <code>{tenant.foreignId}</code>] as [string, React.ReactNode]] : []),
        ]}
      />
      {usage.error ? (
        <Failure error={usage.error} retry={() => void usage.refetch()} />
      ) : usage.data ? (
        <UsageSection days={usage.data.data} />
      ) : (
        <Skeleton lines={6} />
      )}
      <QuotasSection plan={tenant.plan} quotas={tenant.effectiveQuotas} own={tenant.quotas} messagesToday={usage.data?.data[0]?.messages} />
      {open === 'edit' && <TenantDialog tenant={tenant} onClose={close} />}
      {open === 'key' && <KeyDialog tenant={tenant} onClose={close} />}
      {open === 'suspend' && (
        <ActionDialog
          title={`Suspend ${tenant.name}?`}
          action="Suspend it"
          danger
          onClose={close}
          run={async () => {
            await setSuspended(true)
            tell.done(`${tenant.name} is suspended.`)
          }}
        >
          <p>Its requests are answered 403 and its deliveries wait, until you resume it. Nothing is lost.</p>
        </ActionDialog>
      )}
      {open === 'delete' && <DeleteDialog tenant={tenant} onClose={close} />}
    </Page>
  )
}

function DeleteDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  return (
    <ActionDialog
      title={`Delete ${tenant.name}?`}
      action="Delete it"
      danger
      typeToConfirm={tenant.name}
      onClose={onClose}
      run={async () => {
        await take(api.DELETE('/admin/v1/tenant/{tenant_id}', { params: { path: { tenant_id: tenant.id } } }))
        navigate('/tenant')
        queries.removeQueries({ queryKey: ['tenant', tenant.id] })
        await queries.invalidateQueries({ queryKey: ['tenant'] })
        tell.done(`${tenant.name} is gone; its data are being removed.`)
      }}
    >
      <p>
        Its keys and links stop working at once. Its applications, messages and everything else it has are removed. This cannot be undone.
      </p>
    </ActionDialog>
  )
}

function KeyDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const [name, setName] = useState('')
  const [made, setMade] = useState<string>()
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)

  async function submit(event: FormEvent) {
    event.preventDefault()
    try {
      const { key } = await take(
        api.POST('/admin/v1/tenant/{tenant_id}/api-key', { params: { path: { tenant_id: tenant.id } }, body: { name: name.trim() } }),
      )
      setMade(key)
    } catch (cause) {
      setError(cause)
    }
  }

  if (made)
    return (
      <Dialog title={`A key of ${tenant.name}`} onClose={onClose}>
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
    <Dialog title={`New API key of ${tenant.name}`} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <p>It may do everything in this tenant.</p>
        <TextField label="Name" value={name} onChange={setName} error={faults.name} hint="Who uses it, for later." autoFocus />
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
