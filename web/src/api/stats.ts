// Counts over time of a tenant, an application or an endpoint.
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query'
import { api, take, type Schemas } from './client'

export interface Scope {
  app?: string
  endpoint?: string
}

export const RANGES = [
  ['day', 'last day'],
  ['week', 'last 7 days'],
  ['month', 'last 30 days'],
] as const

export type Range = (typeof RANGES)[number][0]

const DAY_MS = 86_400_000
const DAYS: Record<Range, number> = { day: 1, week: 7, month: 30 }

// Of an endpoint there is no count of messages.
export type Series = Omit<Schemas['StatsOut'], 'data' | 'total'> & {
  data: (Schemas['EndpointStatsBucket'] & { messages?: number })[]
  total: Schemas['EndpointStatsTotal'] & { messages?: number }
}

export function useSeries({ app, endpoint }: Scope, range: Range) {
  return useQuery({
    queryKey: ['stats', app, endpoint, range],
    queryFn: (): Promise<Series> => {
      const query = {
        since: new Date(Date.now() - DAYS[range] * DAY_MS).toISOString(),
        interval: range === 'month' ? ('day' as const) : ('hour' as const),
      }
      if (app && endpoint)
        return take(
          api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats/deliveries', {
            params: { path: { app_id: app, endpoint_id: endpoint }, query },
          }),
        )
      if (app) return take(api.GET('/api/v1/app/{app_id}/stats/deliveries', { params: { path: { app_id: app }, query } }))
      return take(api.GET('/api/v1/stats/deliveries', { params: { query } }))
    },
    refetchInterval: 5000,
    placeholderData: keepPreviousData,
  })
}

export function useBacklog({ app, endpoint }: Scope) {
  return useQuery({
    queryKey: ['stats', app, endpoint, 'backlog'],
    queryFn: () => {
      if (app && endpoint)
        return take(
          api.GET('/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats/backlog', {
            params: { path: { app_id: app, endpoint_id: endpoint } },
          }),
        )
      if (app) return take(api.GET('/api/v1/app/{app_id}/stats/backlog', { params: { path: { app_id: app } } }))
      return take(api.GET('/api/v1/stats/backlog'))
    },
    refetchInterval: 5000,
  })
}

export function useEventTypeStats(app: string | undefined, range: Range) {
  return useQuery({
    queryKey: ['stats', app, 'types', range],
    queryFn: () => {
      const now = Date.now()
      const query = { since: new Date(now - DAYS[range] * DAY_MS).toISOString(), until: new Date(now).toISOString() }
      if (app) return take(api.GET('/api/v1/app/{app_id}/stats/attempts', { params: { path: { app_id: app }, query } }))
      return take(api.GET('/api/v1/stats/attempts', { params: { query } }))
    },
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  })
}

// Endpoints that somebody should look at.
export const useAttention = () =>
  useQuery({
    queryKey: ['stats', 'attention'],
    queryFn: () => take(api.GET('/api/v1/stats/attention')),
    refetchInterval: 10_000,
  })

export type ApplicationState = Schemas['ApplicationStatesOut']['data'][number]

const STATES_AT_ONCE = 50

// How the applications of a list are, by id. Their pages come one behind the other, so what is known is asked for once.
export function useApplicationStates(ids: string[]): Map<string, ApplicationState> {
  const parts = Array.from({ length: Math.ceil(ids.length / STATES_AT_ONCE) }, (_, i) =>
    ids.slice(i * STATES_AT_ONCE, (i + 1) * STATES_AT_ONCE),
  )
  return useQueries({
    queries: parts.map(part => ({
      queryKey: ['stats', 'states', ...part],
      queryFn: () => take(api.GET('/api/v1/stats/app', { params: { query: { app_ids: part } } })),
      staleTime: 10_000,
    })),
    combine: results => new Map(results.flatMap(({ data }) => data?.data ?? []).map(state => [state.appId, state])),
  })
}
