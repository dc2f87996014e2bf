// How requests to this endpoint are signed, when not as the tenant says.
import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, take, type Endpoint } from '@/api/client'
import { fieldsOf, messageOf } from '@/api/error'
import { isPlain, PROFILES, type Profile } from '@/lib/signature'
import { Button } from '@/ui/Button'
import { Select, TextField } from '@/ui/Field'
import { Note } from '@/ui/State'
import { tell } from '@/ui/Toast'

export function SignatureForm({ app, endpoint }: { app: string; endpoint: Endpoint }) {
  const queries = useQueryClient()
  const [profile, setProfile] = useState<Profile | null>(endpoint.signatureProfile)
  const [header, setHeader] = useState(endpoint.signatureHeader ?? '')
  const [error, setError] = useState<unknown>()

  async function submit(event: FormEvent) {
    event.preventDefault()
    try {
      await take(
        api.PATCH('/api/v1/app/{app_id}/endpoint/{endpoint_id}', {
          params: { path: { app_id: app, endpoint_id: endpoint.id } },
          body: { signatureProfile: profile, signatureHeader: isPlain(profile) && header ? header : null },
        }),
      )
      await queries.invalidateQueries({ queryKey: ['endpoint', app] })
      setError(undefined)
      tell.done('Changes saved.')
    } catch (cause) {
      setError(cause)
    }
  }

  return (
    <form onSubmit={submit} className="form">
      <Select
        label="Signed as"
        value={profile ?? ''}
        onChange={value => setProfile(value === '' ? null : (value as Profile))}
        options={[['', 'set for all endpoints'], ...PROFILES]}
      />
      {isPlain(profile) && (
        <TextField
          label="Signature header"
          value={header}
          onChange={setHeader}
          error={fieldsOf(error).signatureHeader}
          placeholder="X-Signature"
          mono
        />
      )}
      {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
      <div className="form-foot">
        <Button type="submit">Save</Button>
      </div>
    </form>
  )
}
