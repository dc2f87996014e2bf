import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useAccess } from '@/api/access'
import { api, take, type Endpoint } from '@/api/client'
import { useTenant } from '@/api/queries'
import { verifySnippets } from '@/lib/snippets'
import { Button } from '@/ui/Button'
import { CopyButton, Snippets } from '@/ui/Code'
import { ActionDialog } from '@/ui/Dialog'
import { Select, TextField } from '@/ui/Field'
import { Section } from '@/ui/Page'
import { Failure } from '@/ui/State'
import { tell } from '@/ui/Toast'
import { SignatureForm } from './SignatureForm'

export function Signing({ app, endpoint }: { app: string; endpoint: Endpoint }) {
  const [shown, setShown] = useState(false)
  const [rotating, setRotating] = useState(false)
  const path = { app_id: app, endpoint_id: endpoint.id }
  const secret = useQuery({
    queryKey: ['endpoint', app, endpoint.id, 'secret'],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret', { params: { path } })),
    enabled: shown,
    gcTime: 0,
  })
  const key = shown ? secret.data?.key : undefined
  const { isTenant } = useAccess()
  const tenant = useTenant(isTenant)
  const profile = endpoint.signatureProfile ?? tenant.data?.signatureProfile
  return (
    <>
      <Section title="Secret">
        <div className="form">
          <p className="quiet">
            Who receives checks with it that a request is from you. It is kept encrypted; show it only where nobody looks on.
          </p>
          <div className="row">
            <code className="secret">{key ?? '••••••••••••••••••••••••••••'}</code>
            {key && <CopyButton text={key} label="Copy the secret" />}
            <Button onPress={() => setShown(!shown)}>{shown ? 'Hide' : 'Reveal'}</Button>
            <Button onPress={() => setRotating(true)}>Rotate…</Button>
          </div>
          {shown && secret.data?.publicKey && (
            <p>
              Public key, for receivers: <code>{secret.data.publicKey}</code>
            </p>
          )}
          {secret.error && <Failure error={secret.error} retry={() => void secret.refetch()} />}
        </div>
      </Section>
      <Section title="Signature">
        <SignatureForm key={endpoint.signatureProfile} app={app} endpoint={endpoint} />
      </Section>
      {profile === 'standard' && (
        <Section title="Check it in the receiver">
          <Snippets label="Verify" snippets={verifySnippets(key ?? 'whsec_…')} />
        </Section>
      )}
      {rotating && <RotateDialog app={app} endpoint={endpoint} onClose={() => setRotating(false)} />}
    </>
  )
}

const GRACES = [
  ['86400', '1 day'],
  ['3600', '1 hour'],
  ['604800', '7 days'],
  ['0', 'None: the old one ends at once'],
] as const

function RotateDialog({ app, endpoint, onClose }: { app: string; endpoint: Endpoint; onClose: () => void }) {
  const queries = useQueryClient()
  const [grace, setGrace] = useState('86400')
  const [own, setOwn] = useState('')
  const until = new Date(Date.now() + Number(grace) * 1000)
  return (
    <ActionDialog
      title="Rotate the secret"
      action="Rotate"
      onClose={onClose}
      run={async () => {
        await take(
          api.POST('/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret/rotate', {
            params: { path: { app_id: app, endpoint_id: endpoint.id } },
            body: { gracePeriodSeconds: Number(grace), ...(own.trim() ? { key: own.trim() } : {}) },
          }),
        )
        await queries.invalidateQueries({ queryKey: ['endpoint', app, endpoint.id, 'secret'] })
        tell.done(grace === '0' ? 'Rotated: only the new secret signs.' : `Rotated: both secrets sign until ${until.toLocaleString()}.`)
      }}
    >
      <p>
        A new secret takes the place of this one. Until the grace is over, requests carry both signatures, so the receiver can change over
        without refusing any.
      </p>
      <Select label="Grace" value={grace} onChange={setGrace} options={GRACES} />
      <TextField
        label="New secret"
        value={own}
        onChange={setOwn}
        placeholder="whsec_…"
        hint="Empty: one is made."
        autoComplete="off"
        mono
      />
    </ActionDialog>
  )
}
