import { useQueryClient } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { useLocation, useParams } from 'wouter'
import { ChangeOnly, useAccess } from '@/api/access'
import { api, take, type Endpoint } from '@/api/client'
import { useApplication, useEndpoint } from '@/api/queries'
import { addressOf, isPoller, nameOf, wordOf } from '@/lib/endpoint'
import { healthOf, isFailing } from '@/lib/status'
import { Button } from '@/ui/Button'
import { Activity } from '@/ui/Activity'
import { ActionDialog } from '@/ui/Dialog'
import { ActionMenu } from '@/ui/Menu'
import { Page, Tabs } from '@/ui/Page'
import { Badge, Empty, Failure, Note, Skeleton } from '@/ui/State'
import { Ago } from '@/ui/Time'
import { tell } from '@/ui/Toast'
import { Authentication } from './Authentication'
import { AttemptList } from './AttemptList'
import { DeliveryList } from './DeliveryList'
import { EndpointFigures } from './EndpointFigures'
import { EndpointForm } from './EndpointForm'
import { FetchPanel } from './FetchPanel'
import { HeaderForm } from './HeaderForm'
import { CancelDialog, ReplayDialog, type ReplayKind } from './ReplayDialog'
import { Signing } from './Signing'
import { TestPanel } from './TestPanel'

type Open = ReplayKind | 'delete' | 'cancel' | 'disable'

export default function EndpointPage() {
  const { app = '', endpoint: id = '', tab } = useParams()
  const application = useApplication(app)
  const { data: endpoint, error, refetch } = useEndpoint(app, id)
  const change = useChange(app, id)
  const { isTenant, mayChange, mayOwn } = useAccess()
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  const above: [string, string][] = [
    ['Applications', '/app'],
    [application.data?.name ?? app, `/app/${app}`],
  ]

  if (error) return <Page title="Endpoint" above={above} children={<Failure error={error} retry={() => void refetch()} />} />
  if (!endpoint) return <Skeleton lines={6} />
  const base = `/app/${app}/endpoint/${id}`
  const [health, tone] = healthOf(endpoint)
  const parts = (isPoller(endpoint) ? pollerParts : hookParts)(app, endpoint, { isTenant, mayChange })
  const part = parts.find(({ slug }) => slug === (tab ?? ''))
  return (
    <Page
      title={nameOf(endpoint)}
      above={above}
      note={<Badge tone={tone}>{health}</Badge>}
      actions={
        mayChange && (
          <>
            {endpoint.disabled ? (
              <Button onPress={() => change({ disabled: false }, 'Enabled: it gets new messages from now on.')}>Enable</Button>
            ) : isPoller(endpoint) ? null : endpoint.paused ? (
              <Button onPress={() => change({ paused: false }, 'Resumed: what waited goes out now.')}>Resume</Button>
            ) : (
              <Button onPress={() => change({ paused: true }, 'Paused: deliveries wait until you resume it.')}>Pause</Button>
            )}
            <ActionMenu
              label="More for this endpoint"
              actions={[
                ...(isPoller(endpoint)
                  ? []
                  : [
                      { text: 'Recover what failed…', run: () => setOpen('recover') },
                      { text: 'Send what was missed…', run: () => setOpen('missing') },
                      { text: 'Replay…', run: () => setOpen('replay') },
                      ...(mayOwn ? [{ text: 'Cancel what is waiting…', danger: true, run: () => setOpen('cancel') }] : []),
                    ]),
                ...(endpoint.disabled ? [] : [{ text: 'Disable…', danger: true, run: () => setOpen('disable') }]),
                { text: 'Delete…', danger: true, run: () => setOpen('delete') },
              ]}
            />
          </>
        )
      }
    >
      {endpoint.description && <p className="quiet under-title">{addressOf(endpoint)}</p>}
      <State endpoint={endpoint} onRecover={mayChange ? () => setOpen('recover') : undefined} />
      <Tabs label="Parts of this endpoint" tabs={parts.map(({ slug, text }) => [text, slug ? `${base}/${slug}` : base])} />
      {part ? part.content() : <Empty title="There is no such part." />}
      {(open === 'recover' || open === 'missing' || open === 'replay') && (
        <ReplayDialog kind={open} app={app} endpoint={endpoint} onClose={close} />
      )}
      {open === 'cancel' && <CancelDialog app={app} endpoint={endpoint} onClose={close} />}
      {open === 'disable' && (
        <ActionDialog
          title="Disable this endpoint?"
          action="Disable it"
          danger
          onClose={close}
          run={() => change({ disabled: true }, 'Disabled.')}
        >
          <p>It gets no new messages until you enable it. What you send meanwhile can be replayed later with “Send what was missed”.</p>
        </ActionDialog>
      )}
      {open === 'delete' && <DeleteDialog app={app} endpoint={endpoint} onClose={close} />}
    </Page>
  )
}

interface Part {
  slug: string // in the address
  text: string
  content: () => ReactNode
}

function hookParts(app: string, endpoint: Endpoint, { isTenant, mayChange }: { isTenant: boolean; mayChange: boolean }): Part[] {
  const { id } = endpoint
  const figures = <EndpointFigures key="figures" app={app} endpoint={id} />
  const parts: (Part | false)[] = [
    { slug: '', text: 'Deliveries', content: () => [figures, <DeliveryList key="list" app={app} endpoint={id} />] },
    { slug: 'attempts', text: 'Attempts', content: () => [figures, <AttemptList key="list" app={app} endpoint={id} />] },
    isTenant && { slug: 'activity', text: 'Activity', content: () => <Activity scope={{ app, endpoint: id }} /> },
    mayChange && { slug: 'test', text: 'Test', content: () => <TestPanel app={app} endpoint={endpoint} /> },
    mayChange && { slug: 'signing', text: 'Signing', content: () => <Signing app={app} endpoint={endpoint} /> },
    {
      slug: 'settings',
      text: 'Settings',
      content: () => (
        <ChangeOnly>
          <EndpointForm key={id} app={app} endpoint={endpoint} />
          <HeaderForm app={app} endpoint={id} />
          <Authentication app={app} endpoint={id} />
        </ChangeOnly>
      ),
    },
  ]
  return parts.filter(part => part !== false)
}

function pollerParts(app: string, endpoint: Endpoint): Part[] {
  return [
    { slug: '', text: 'Fetch', content: () => <FetchPanel app={app} endpoint={endpoint} /> },
    {
      slug: 'settings',
      text: 'Settings',
      content: () => (
        <ChangeOnly>
          <EndpointForm key={endpoint.id} app={app} endpoint={endpoint} />
        </ChangeOnly>
      ),
    },
  ]
}

function useChange(app: string, id: string) {
  const queries = useQueryClient()
  return async (body: { paused?: boolean; disabled?: boolean }, done: string) => {
    try {
      await take(api.PATCH('/api/v1/app/{app_id}/endpoint/{endpoint_id}', { params: { path: { app_id: app, endpoint_id: id } }, body }))
      await queries.invalidateQueries({ queryKey: ['endpoint', app] })
      tell.done(done)
    } catch (error) {
      tell.failed(error)
    }
  }
}

// What a person has to know before anything else.
function State({ endpoint, onRecover }: { endpoint: Endpoint; onRecover?: (() => void) | undefined }) {
  if (endpoint.disabled)
    return (
      <Note tone="warn">
        <span>Disabled{endpoint.disabledReason ? `: ${endpoint.disabledReason}` : ''}. It gets no messages.</span>
      </Note>
    )
  if (isFailing(endpoint))
    return (
      <Note tone="bad">
        <span>
          Failing: the first attempt went wrong <Ago at={endpoint.failingSince!} />, and none has succeeded since. Deliveries are tried
          again by themselves.
        </span>
        {onRecover && <Button onPress={onRecover}>Recover what failed…</Button>}
      </Note>
    )
  if (endpoint.paused) return <Note tone="warn">Paused. Deliveries wait until you resume it.</Note>
  return null
}

function DeleteDialog({ app, endpoint, onClose }: { app: string; endpoint: Endpoint; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  return (
    <ActionDialog
      title="Delete this endpoint?"
      action="Delete it"
      danger
      typeToConfirm={wordOf(endpoint)}
      onClose={onClose}
      run={async () => {
        await take(
          api.DELETE('/api/v1/app/{app_id}/endpoint/{endpoint_id}', { params: { path: { app_id: app, endpoint_id: endpoint.id } } }),
        )
        navigate(`/app/${app}`)
        queries.removeQueries({ queryKey: ['endpoint', app, endpoint.id] })
        await queries.invalidateQueries({ queryKey: ['endpoint', app] })
        tell.done('The endpoint was deleted.')
      }}
    >
      <p>{endpoint.url} gets nothing any more, and what still waits for it is cancelled. Its secret is lost. This cannot be undone.</p>
    </ActionDialog>
  )
}
