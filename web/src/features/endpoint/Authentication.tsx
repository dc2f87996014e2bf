// What requests show beside the signature: a token that is fetched for them, or a client certificate.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, take, type Schemas } from '@/api/client'
import { ApiError } from '@/api/error'
import { Button } from '@/ui/Button'
import { ActionDialog } from '@/ui/Dialog'
import { Select, TextField } from '@/ui/Field'
import { Facts, Section } from '@/ui/Page'
import { Failure, Skeleton } from '@/ui/State'
import { Time } from '@/ui/Time'
import { tell } from '@/ui/Toast'

interface Place {
  app: string
  endpoint: string
}

type Method = Schemas['EndpointOauthConfigIn']['authMethod']

const METHODS: readonly (readonly [Method, string])[] = [
  ['clientSecretBasic', 'in the Authorization header'],
  ['clientSecretPost', 'in the body'],
]

const pathOf = ({ app, endpoint }: Place) => ({ app_id: app, endpoint_id: endpoint })

// None is not a failure.
async function orNull<T>(request: Promise<T>): Promise<T | null> {
  try {
    return await request
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}

export function Authentication(place: Place) {
  const [open, setOpen] = useState<'oauth' | 'mtls' | 'no-oauth' | 'no-mtls'>()
  const close = () => setOpen(undefined)
  const params = { path: pathOf(place) }
  const oauth = useQuery({
    queryKey: ['endpoint', place.app, place.endpoint, 'oauth'],
    queryFn: () => orNull(take(api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/oauth', { params }))),
  })
  const mtls = useQuery({
    queryKey: ['endpoint', place.app, place.endpoint, 'mtls'],
    queryFn: () => orNull(take(api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/mtls', { params }))),
  })
  return (
    <Section title="Authentication">
      {oauth.error && <Failure error={oauth.error} retry={() => void oauth.refetch()} />}
      {mtls.error && <Failure error={mtls.error} retry={() => void mtls.refetch()} />}
      {(oauth.isPending || mtls.isPending) && <Skeleton lines={2} />}
      {oauth.data !== undefined && (
        <div className="form">
          <h3>OAuth 2.0 token</h3>
          {oauth.data ? (
            <Facts
              facts={[
                ['Token URL', oauth.data.tokenUrl],
                ['Client id', oauth.data.clientId],
                ['Scopes', oauth.data.scopes.join(' ') || '–'],
              ]}
            />
          ) : (
            <p className="quiet">None. With client credentials, each request carries a token that is fetched and renewed for it.</p>
          )}
          <div className="row">
            <Button onPress={() => setOpen('oauth')}>{oauth.data ? 'Replace…' : 'Set…'}</Button>
            {oauth.data && <Button onPress={() => setOpen('no-oauth')}>Remove…</Button>}
          </div>
        </div>
      )}
      {mtls.data !== undefined && (
        <div className="form">
          <h3>Client certificate</h3>
          {mtls.data ? (
            <Facts
              facts={[
                ['Subject', mtls.data.subject],
                ['Ends', <Time at={mtls.data.notAfter} />],
                ['Own authorities', mtls.data.ca ? 'yes' : 'no'],
              ]}
            />
          ) : (
            <p className="quiet">None. With one, the receiver knows at the connection already who calls.</p>
          )}
          <div className="row">
            <Button onPress={() => setOpen('mtls')}>{mtls.data ? 'Replace…' : 'Set…'}</Button>
            {mtls.data && <Button onPress={() => setOpen('no-mtls')}>Remove…</Button>}
          </div>
        </div>
      )}
      {open === 'oauth' && <OauthDialog {...place} onClose={close} />}
      {open === 'mtls' && <CertificateDialog {...place} onClose={close} />}
      {(open === 'no-oauth' || open === 'no-mtls') && (
        <RemoveDialog {...place} kind={open === 'no-oauth' ? 'oauth' : 'mtls'} onClose={close} />
      )}
    </Section>
  )
}

function useSaved({ app, endpoint }: Place) {
  const queries = useQueryClient()
  return async (kind: 'oauth' | 'mtls', text: string) => {
    await queries.invalidateQueries({ queryKey: ['endpoint', app, endpoint, kind] })
    tell.done(text)
  }
}

function OauthDialog({ onClose, ...place }: Place & { onClose: () => void }) {
  const saved = useSaved(place)
  const [tokenUrl, setTokenUrl] = useState('')
  const [clientId, setClientId] = useState('')
  const [clientSecret, setClientSecret] = useState('')
  const [scopes, setScopes] = useState('')
  const [authMethod, setAuthMethod] = useState<Method>('clientSecretBasic')
  return (
    <ActionDialog
      title="OAuth 2.0 token"
      action="Save"
      onClose={onClose}
      disabled={!tokenUrl.trim() || !clientId || !clientSecret}
      run={async () => {
        const list = scopes.split(/\s+/).filter(Boolean)
        await take(
          api.PUT('/api/v1/app/{app_id}/endpoint/{endpoint_id}/oauth', {
            params: { path: pathOf(place) },
            body: {
              grantType: 'clientCredentials',
              authMethod,
              clientId,
              clientSecret,
              tokenUrl: tokenUrl.trim(),
              scopes: list.length > 0 ? list : null,
            },
          }),
        )
        await saved('oauth', 'Requests carry a token from now on.')
      }}
    >
      <TextField label="Token URL" value={tokenUrl} onChange={setTokenUrl} autoFocus mono />
      <TextField label="Client id" value={clientId} onChange={setClientId} autoComplete="off" mono />
      <TextField
        label="Client secret"
        type="password"
        value={clientSecret}
        onChange={setClientSecret}
        autoComplete="off"
        hint="Kept encrypted, never shown again."
        mono
      />
      <Select label="The secret goes" value={authMethod} onChange={value => setAuthMethod(value as Method)} options={METHODS} />
      <TextField label="Scopes" value={scopes} onChange={setScopes} hint="Optional; spaces between them." mono />
    </ActionDialog>
  )
}

function CertificateDialog({ onClose, ...place }: Place & { onClose: () => void }) {
  const saved = useSaved(place)
  const [identity, setIdentity] = useState('')
  const [ca, setCa] = useState('')
  return (
    <ActionDialog
      title="Client certificate"
      action="Save"
      onClose={onClose}
      disabled={!identity.trim()}
      run={async () => {
        await take(
          api.PUT('/api/v1/app/{app_id}/endpoint/{endpoint_id}/mtls', {
            params: { path: pathOf(place) },
            body: { identity, ca: ca.trim() ? ca : null },
          }),
        )
        await saved('mtls', 'Requests show the certificate from now on.')
      }}
    >
      <TextField
        label="Certificate, chain and key"
        value={identity}
        onChange={setIdentity}
        rows={7}
        placeholder="-----BEGIN CERTIFICATE-----"
        hint="PEM. The key is kept encrypted, never shown again."
        autoFocus
        mono
      />
      <TextField
        label="Authorities of the receiver"
        value={ca}
        onChange={setCa}
        rows={4}
        hint="Optional PEM, trusted instead of the usual ones."
        mono
      />
    </ActionDialog>
  )
}

function RemoveDialog({ kind, onClose, ...place }: Place & { kind: 'oauth' | 'mtls'; onClose: () => void }) {
  const saved = useSaved(place)
  const what = kind === 'oauth' ? 'OAuth token' : 'client certificate'
  return (
    <ActionDialog
      title={`Remove the ${what}?`}
      action="Remove it"
      danger
      onClose={onClose}
      run={async () => {
        const params = { path: pathOf(place) }
        await (kind === 'oauth'
          ? take(api.DELETE('/api/v1/app/{app_id}/endpoint/{endpoint_id}/oauth', { params }))
          : take(api.DELETE('/api/v1/app/{app_id}/endpoint/{endpoint_id}/mtls', { params })))
        await saved(kind, `The ${what} was removed.`)
      }}
    >
      <p>Requests go out without it. It cannot be shown again, so keep a copy if you need one.</p>
    </ActionDialog>
  )
}
