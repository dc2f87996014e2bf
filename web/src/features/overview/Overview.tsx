import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense } from 'react'
import { Link } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take, type Application } from '@/api/client'
import { sendSnippets } from '@/lib/snippets'
import { LinkButton } from '@/ui/Button'
import { Snippets } from '@/ui/Code'
import { Icon } from '@/ui/Icon'
import { Page, Section } from '@/ui/Page'
import { Failure, Skeleton } from '@/ui/State'

// The charts are no part of the first screen's script.
const Activity = lazy(() => import('@/ui/Activity').then(module => ({ default: module.Activity })))

const EVERYTHING = {}
const LOOKED_AT = 5

interface Progress {
  application?: Application
  endpoint?: string
  message?: string
  delivered: boolean
}

// How far the first applications have come.
async function progress(): Promise<Progress> {
  const { data: applications } = await take(api.GET('/api/v1/app', { params: { query: { limit: LOOKED_AT } } }))
  let best: Progress = { application: applications[0], delivered: false }
  for (const application of applications) {
    const path = { app_id: application.id }
    const [endpoints, messages] = await Promise.all([
      take(api.GET('/api/v1/app/{app_id}/endpoint', { params: { path, query: { limit: LOOKED_AT } } })),
      take(api.GET('/api/v1/app/{app_id}/msg', { params: { path, query: { limit: 1, with_content: false } } })),
    ])
    const endpoint = endpoints.data[0]?.id
    const message = messages.data[0]?.id
    if (!endpoint) continue
    const outcomes = message ? await Promise.all(endpoints.data.map(one => isDelivered(application.id, one.id))) : []
    const delivered = outcomes.includes(true)
    const here = { application, endpoint, message, delivered }
    if (delivered) return here
    if (!best.endpoint || (message && !best.message)) best = here
  }
  return best
}

async function isDelivered(app: string, endpoint: string) {
  const path = { app_id: app, endpoint_id: endpoint }
  const attempts = await take(
    api.GET('/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}', {
      params: { path, query: { limit: 1, status: 0, with_content: false } },
    }),
  )
  return attempts.data.length > 0
}

export default function Overview() {
  const { mayOwn } = useAccess()
  const { data, error, refetch } = useQuery({
    queryKey: ['overview', 'progress'],
    queryFn: progress,
    refetchInterval: ({ state }) => (state.data?.delivered ? false : 3000),
  })
  if (error) return <Page title="Overview" children={<Failure error={error} retry={() => void refetch()} />} />
  if (!data) return <Skeleton lines={6} />
  const app = data.application
  return (
    <Page title={data.delivered || !mayOwn ? 'Overview' : 'Welcome to Posthorn'}>
      {data.delivered || !mayOwn ? (
        <Suspense fallback={<Skeleton lines={6} />}>
          <Activity scope={EVERYTHING} />
        </Suspense>
      ) : (
        <Checklist progress={data} />
      )}
      <Section title="Send from your code">
        <Snippets
          label="Send a message"
          snippets={sendSnippets(location.origin, app?.uid ?? app?.id ?? 'APPLICATION', 'invoice.paid', '{"id":"in_42","amount":1200}')}
        />
        <p className="quiet">
          <code>POSTHORN_KEY</code> is your API key. <a href="/docs">The API documentation</a> has the rest.
        </p>
      </Section>
    </Page>
  )
}

function Checklist({ progress: { application, endpoint, message, delivered } }: { progress: Progress }) {
  const home = application ? `/app/${application.id}` : '/app'
  const steps: [done: boolean, text: string, why: string, href: string, action: string][] = [
    [Boolean(application), 'Create an application', 'One for each customer of yours who gets webhooks.', '/app?new', 'Create'],
    [Boolean(endpoint), 'Give it an endpoint', 'The URL where this customer wants them.', `${home}/endpoint/new`, 'Add'],
    [Boolean(message), 'Send a message', 'From here, or with the code below.', `${home}?send`, 'Send'],
    [delivered, 'See it delivered', 'Every attempt is kept, with what came back.', message ? `${home}/msg/${message}` : home, 'Look'],
  ]
  const next = steps.findIndex(([done]) => !done)
  return (
    <ol className="checklist" aria-label="First steps">
      {steps.map(([done, text, why, href, action], i) => (
        <li key={text} className={done ? 'done' : i === next ? 'next' : undefined}>
          <span className="step">{done ? <Icon name="check" /> : i + 1}</span>
          <span className="grow">
            <strong>{text}</strong>
            {done && <span className="unseen"> (done)</span>}
            <span className="quiet"> {why}</span>
          </span>
          {i === next ? (
            <LinkButton href={href} look="primary">
              {action}
            </LinkButton>
          ) : (
            done && i > 0 && application && <Link href={href}>{action}</Link>
          )}
        </li>
      ))}
    </ol>
  )
}
