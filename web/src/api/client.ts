// Requests, with the paths and types of our OpenAPI document.
import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from 'schema'
import { credential, place } from './credential'
import { ApiError } from './error'

export type Schemas = components['schemas']
export type Application = Schemas['ApplicationOut']
export type Endpoint = Schemas['EndpointOut']
export type EventType = Schemas['EventTypeOut']
export type Message = Schemas['MessageOut']
export type Attempt = Schemas['AttemptOut']
export type Task = Schemas['BackgroundTaskOut']
export type Tenant = Schemas['TenantOut']

export const api = createClient<paths>()

const signed: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(credential.headers())) request.headers.set(name, value)
  },
  onResponse({ response }) {
    if (response.status === 401 && credential.exists())
      credential.forget(`The ${place === 'operator' ? 'token' : 'API key'} is no longer valid. Sign in again.`)
  },
  onError() {
    return new ApiError(0, undefined)
  },
}
api.use(signed)

// The data of an answer; ApiError for any other outcome.
export async function take<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await request
  if (!response.ok) throw new ApiError(response.status, error)
  return data as T
}

// Whether this key, or token of the operator, is one; ApiError says why not.
export async function tryKey(key: string) {
  const path = place === 'operator' ? '/admin/v1/plan' : '/api/v1/tenant'
  const response = await fetch(path, { headers: { authorization: `Bearer ${key}` } }).catch(() => undefined)
  if (!response) throw new ApiError(0, undefined)
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => undefined))
}
