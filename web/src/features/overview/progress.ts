// How far a tenant has come that has delivered nothing yet.
import { useQuery } from '@tanstack/react-query'
import { api, take, type Application, type Endpoint, type EventType } from '@/api/client'

const LOOKED_AT = 5
const DAYS = 90
const DAY_MS = 86_400_000

export interface Progress {
  delivered: boolean
  application?: Application
  endpoint?: Endpoint
  eventType?: EventType
  sent: boolean
}

async function hasDelivered() {
  const since = new Date(Date.now() - DAYS * DAY_MS).toISOString()
  const { total } = await take(api.GET('/api/v1/stats/deliveries', { params: { query: { since, interval: 'day' } } }))
  return total.success > 0
}

// The counts come a little later than what they count.
async function justNow(application: Application, endpoint: Endpoint) {
  const path = { app_id: application.id, endpoint_id: endpoint.id }
  const [messages, attempts] = await Promise.all([
    take(api.GET('/api/v1/app/{app_id}/msg', { params: { path, query: { limit: 1, with_content: false } } })),
    take(
      api.GET('/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}', {
        params: { path, query: { limit: 1, status: 0, with_content: false } },
      }),
    ),
  ])
  return { sent: messages.data.length > 0, delivered: attempts.data.length > 0 }
}

// The first application that has an endpoint, else the first one.
async function firstPair(): Promise<Pick<Progress, 'application' | 'endpoint'>> {
  const { data: applications } = await take(api.GET('/api/v1/app', { params: { query: { limit: LOOKED_AT } } }))
  for (const application of applications) {
    const path = { app_id: application.id }
    const { data } = await take(api.GET('/api/v1/app/{app_id}/endpoint', { params: { path, query: { limit: 1 } } }))
    if (data[0]) return { application, endpoint: data[0] }
  }
  return applications[0] ? { application: applications[0] } : {}
}

async function progress(): Promise<Progress> {
  const [delivered, pair, types] = await Promise.all([
    hasDelivered(),
    firstPair(),
    take(api.GET('/api/v1/event-type', { params: { query: { limit: 1, with_content: true } } })),
  ])
  const { application, endpoint } = pair
  const now = !delivered && application && endpoint ? await justNow(application, endpoint) : { delivered, sent: delivered }
  return { ...now, ...pair, ...(types.data[0] ? { eventType: types.data[0] } : {}) }
}

export const useProgress = () =>
  useQuery({
    queryKey: ['overview', 'progress'],
    queryFn: progress,
    refetchInterval: ({ state }) => (state.data?.delivered ? false : 2000),
  })
