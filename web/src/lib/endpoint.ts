// How an endpoint is called where people read.

interface Named {
  id: string
  uid: string | null
  url: string
  type?: 'poller'
  description: string
}

// Its messages are fetched, so it has no address of its own.
export const isPoller = (endpoint: { type?: 'poller' }) => endpoint.type === 'poller'

export const addressOf = (endpoint: Named) => (isPoller(endpoint) ? 'Fetched by the customer' : endpoint.url)

export const nameOf = (endpoint: Named) => endpoint.description || addressOf(endpoint)

// What a person types to confirm that this one is meant.
export const wordOf = (endpoint: Named) => (isPoller(endpoint) ? (endpoint.uid ?? endpoint.id) : new URL(endpoint.url).host)
