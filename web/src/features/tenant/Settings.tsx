import { useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useState, type ComponentType, type FormEvent } from 'react'
import { useParams } from 'wouter'
import { ChangeOnly, useAccess } from '@/api/access'
import { api, take, type Tenant } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { useTenant } from '@/api/queries'
import { isPlain, PROFILES, type Profile } from '@/lib/signature'
import { parseSchedule, schedule } from '@/lib/time'
import { Button } from '@/ui/Button'
import { Checkbox, Select, TextField } from '@/ui/Field'
import { Page, Tabs } from '@/ui/Page'
import { Failure, Note, Skeleton } from '@/ui/State'
import { tell } from '@/ui/Toast'
import { ApiKeys } from './ApiKeys'
import { Operational } from './Operational'

// By the last part of their address.
const PARTS: Record<string, ComponentType> = {
  audit: lazy(() => import('./AuditLog')),
  environments: lazy(() => import('./Environments')),
  portal: lazy(() => import('./PortalSettings')),
  usage: lazy(() => import('./Usage')),
}

export default function Settings() {
  const { tab } = useParams()
  const tenant = useTenant()
  const { mayOwn } = useAccess()
  const Part = tab === undefined ? undefined : PARTS[tab]
  return (
    <Page title="Settings">
      <Tabs
        label="Parts of the settings"
        tabs={[
          ['Tenant', '/settings'],
          ['API keys', '/settings/keys'],
          ['Operational webhooks', '/settings/operational'],
          ['Portal', '/settings/portal'],
          ['Environments', '/settings/environments'],
          ['Usage', '/settings/usage'],
          ...(mayOwn ? [['Audit log', '/settings/audit'] as [string, string]] : []),
        ]}
      />
      {tab === 'operational' ? (
        <Operational />
      ) : tab === 'keys' ? (
        <ApiKeys />
      ) : Part ? (
        <Suspense fallback={<Skeleton lines={6} />}>
          <Part />
        </Suspense>
      ) : tenant.error ? (
        <Failure error={tenant.error} retry={() => void tenant.refetch()} />
      ) : tenant.data ? (
        <ChangeOnly>
          <TenantForm tenant={tenant.data} />
        </ChangeOnly>
      ) : (
        <Skeleton lines={5} />
      )}
    </Page>
  )
}

function TenantForm({ tenant }: { tenant: Tenant }) {
  const queries = useQueryClient()
  const [name, setName] = useState(tenant.name)
  const [prefix, setPrefix] = useState(tenant.headerPrefix)
  const [profile, setProfile] = useState<Profile>(tenant.signatureProfile)
  const [header, setHeader] = useState(tenant.signatureHeader ?? '')
  const [retries, setRetries] = useState(tenant.retrySchedule ? schedule(tenant.retrySchedule) : '')
  const [isPublic, setPublic] = useState(tenant.publicCatalog)
  const [slug, setSlug] = useState(tenant.catalogSlug ?? '')
  const [error, setError] = useState<unknown>()
  const faults = fieldsOf(error)
  const parsed = parseSchedule(retries)
  const retryFault = 'wrong' in parsed ? `“${parsed.wrong}” is no time like 30 s, 5 min or 2 h.` : faults.retrySchedule

  async function submit(event: FormEvent) {
    event.preventDefault()
    if ('wrong' in parsed) return
    const body = {
      name,
      headerPrefix: prefix,
      signatureProfile: profile,
      signatureHeader: isPlain(profile) && header ? header : null,
      retrySchedule: parsed.seconds.length > 0 ? parsed.seconds : null,
      publicCatalog: isPublic,
      catalogSlug: slug.trim() || null,
    }
    try {
      await take(api.PATCH('/api/v1/tenant', { body }))
      await queries.invalidateQueries({ queryKey: ['tenant'] })
      setError(undefined)
      tell.done('Changes saved.')
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <form onSubmit={submit} className="form">
      <TextField label="Name" value={name} onChange={setName} error={faults.name} />
      <TextField
        label="Retry after"
        value={retries}
        onChange={setRetries}
        error={retryFault}
        placeholder="5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h"
        hint="The waits between attempts, for endpoints and event types without their own. Empty: those of the server."
      />
      <Select
        label="Signature"
        value={profile}
        onChange={value => setProfile(value as Profile)}
        options={PROFILES}
        hint="How requests are signed. Change it only when your receivers check another one."
      />
      {profile === 'standard' && (
        <TextField
          label="Header prefix"
          value={prefix}
          onChange={setPrefix}
          error={faults.headerPrefix}
          hint={`Requests carry ${prefix || 'webhook'}-id, ${prefix || 'webhook'}-timestamp and ${prefix || 'webhook'}-signature.`}
          mono
        />
      )}
      {isPlain(profile) && (
        <TextField
          label="Signature header"
          value={header}
          onChange={setHeader}
          error={faults.signatureHeader}
          placeholder="X-Signature"
          mono
        />
      )}
      <Checkbox isSelected={isPublic} onChange={setPublic} hint="Names, schemas and examples, but for archived ones, without signing in.">
        Everybody may read the event types
      </Checkbox>
      {isPublic && (
        <TextField
          label="Name of the public catalogue"
          value={slug}
          onChange={setSlug}
          error={faults.catalogSlug}
          placeholder="acme"
          hint={
            tenant.publicCatalog && tenant.catalogSlug ? (
              <>
                It is at <a href={`/catalog/${tenant.catalogSlug}`}>{`${location.origin}/catalog/${tenant.catalogSlug}`}</a>.
              </>
            ) : (
              `It will be at ${location.origin}/catalog/${slug.trim() || '…'}.`
            )
          }
          mono
        />
      )}
      {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
      <div className="form-foot">
        <Button type="submit" look="primary">
          Save
        </Button>
      </div>
    </form>
  )
}
