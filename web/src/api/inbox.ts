// The test inbox of an application, and what arrives there.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { api, take, type Endpoint, type Schemas } from './client'
import { ApiError } from './error'
import { usePages } from './pages'
import { useTail } from './tail'

export type Inbox = Schemas['InboxOut']
export type Arrival = Schemas['InboxRequestItem']

const key = (app: string) => ['inbox', app]

// null: it has none.
export const useInbox = (app: string | undefined) =>
  useQuery({
    queryKey: key(app ?? ''),
    queryFn: () =>
      take(api.GET('/api/v1/app/{app_id}/inbox', { params: { path: { app_id: app! } } })).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }),
    enabled: app !== undefined,
  })

export const putInbox = (app: string, answer: Schemas['InboxIn']) =>
  take(api.PUT('/api/v1/app/{app_id}/inbox', { params: { path: { app_id: app } }, body: answer }))

// Makes the inbox and an endpoint that delivers there.
export async function openInbox(app: string): Promise<Endpoint> {
  const { url } = await putInbox(app, {})
  return take(api.POST('/api/v1/app/{app_id}/endpoint', { params: { path: { app_id: app } }, body: { url, description: 'Test inbox' } }))
}

// The newest first, as they come.
export function useArrivals(app: string) {
  const queries = useQueryClient()
  const { events, state } = useTail(`/api/v1/app/${app}/tail`, false)
  const newest = events.find(event => event.type === 'arrival')?.id
  useEffect(() => {
    if (newest || state === 'listening') void queries.invalidateQueries({ queryKey: [...key(app), 'requests'] })
  }, [newest, state, app, queries])
  const pages = usePages<Arrival>([...key(app), 'requests'], iterator =>
    take(api.GET('/api/v1/app/{app_id}/inbox/request', { params: { path: { app_id: app }, query: { limit: 100, iterator } } })),
  )
  return { pages, state }
}

export const useArrival = (app: string, id: string | undefined) =>
  useQuery({
    queryKey: [...key(app), 'request', id],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}/inbox/request/{request_id}', { params: { path: { app_id: app, request_id: id! } } })),
    enabled: id !== undefined,
    staleTime: Infinity,
  })
