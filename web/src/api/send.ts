import { credential } from './credential'
import { ApiError } from './error'

// The payload goes out as it was typed: parsing it here would change its numbers.
export async function send(app: string, eventType: string, payload: string): Promise<{ id: string }> {
  const response = await fetch(`/api/v1/app/${encodeURIComponent(app)}/msg`, {
    method: 'POST',
    headers: { ...credential.headers(), 'content-type': 'application/json' },
    body: `{"eventType":${JSON.stringify(eventType)},"payload":${payload}}`,
  }).catch(() => undefined)
  if (!response) throw new ApiError(0, undefined)
  const body = await response.json()
  if (!response.ok) throw new ApiError(response.status, body)
  return body
}
