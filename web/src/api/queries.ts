// What several features ask for, each under one key.
import { useQuery } from '@tanstack/react-query'
import { useAccess } from './access'
import { api, take, type EventType } from './client'

// enabled: a portal cannot ask.
export const useTenant = (enabled = true) =>
  useQuery({ queryKey: ['tenant'], queryFn: () => take(api.GET('/api/v1/tenant')), staleTime: 60_000, enabled })

export const useApplication = (app: string) =>
  useQuery({
    queryKey: ['app', app],
    queryFn: () => take(api.GET('/api/v1/app/{app_id}', { params: { path: { app_id: app } } })),
    staleTime: 10_000,
  })

export const useEndpoint = (app: string, endpoint: string) =>
  useQuery({
    queryKey: ['endpoint', app, endpoint],
    queryFn: () =>
      take(api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}', { params: { path: { app_id: app, endpoint_id: endpoint } } })),
    refetchInterval: 10_000,
  })

const CATALOGUE_PAGES = 20

// All event types, by name.
async function catalogue(): Promise<EventType[]> {
  const all: EventType[] = []
  let iterator: string | undefined
  for (let i = 0; i < CATALOGUE_PAGES; i++) {
    const page = await take(
      api.GET('/api/v1/event-type', { params: { query: { limit: 250, iterator, with_content: true, include_archived: true } } }),
    )
    all.push(...page.data)
    if (page.done || !page.iterator) break
    iterator = page.iterator
  }
  return all
}

// None for whoever is not shown them.
export function useEventTypes() {
  const { shows } = useAccess()
  const shown = shows('event-types')
  return useQuery({ queryKey: ['event-type'], queryFn: () => (shown ? catalogue() : []), staleTime: 30_000 })
}
