import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Redirect, useLocation, useParams, useSearchParams } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take, type Application } from '@/api/client'
import { useApplication } from '@/api/queries'
import { Button } from '@/ui/Button'
import { Copyable } from '@/ui/Code'
import { Activity } from '@/ui/Activity'
import { ActionDialog } from '@/ui/Dialog'
import { ActionMenu } from '@/ui/Menu'
import { Page, Tabs } from '@/ui/Page'
import { Failure, Skeleton } from '@/ui/State'
import { Tail } from '@/ui/Tail'
import { tell } from '@/ui/Toast'
import { TopEventTypes } from '@/ui/TopEventTypes'
import { ApplicationDialog } from './ApplicationDialog'
import { EndpointList } from './EndpointList'
import { InboxPanel } from './InboxPanel'
import { MessageLog } from './MessageLog'
import { EndLinksDialog, PortalDialog } from './PortalDialog'
import { SendDialog } from './SendDialog'

export default function ApplicationPage() {
  const { app = '', tab } = useParams()
  const [search] = useSearchParams()
  const { isTenant, mayOwn, shows } = useAccess()
  const { data: application, error, refetch } = useApplication(app)
  const [open, setOpen] = useState<'edit' | 'delete' | 'send' | 'portal' | 'end-links' | undefined>(
    mayOwn && search.has('send') ? 'send' : undefined,
  )
  const close = () => setOpen(undefined)

  if (error)
    return <Page title="Application" above={[['Applications', '/app']]} children={<Failure error={error} retry={() => void refetch()} />} />
  if (!application) return <Skeleton lines={6} />
  return (
    <Page
      title={application.name}
      above={[['Applications', '/app']]}
      note={<Copyable text={application.uid ?? application.id} />}
      actions={
        mayOwn && (
          <>
            <Button onPress={() => setOpen('send')}>Send a message</Button>
            <Button onPress={() => setOpen('edit')}>Edit</Button>
            <ActionMenu
              label="More for this application"
              actions={[
                { text: 'Portal link…', run: () => setOpen('portal') },
                { text: 'End all portal links…', danger: true, run: () => setOpen('end-links') },
                { text: 'Delete…', danger: true, run: () => setOpen('delete') },
              ]}
            />
          </>
        )
      }
    >
      <Tabs
        label="Parts of this application"
        tabs={[
          ...(shows('endpoints') ? [['Endpoints', `/app/${app}`] as [string, string]] : []),
          ...(shows('messages') ? messageTabs(app) : []),
          ...(isTenant ? [['Activity', `/app/${app}/activity`] as [string, string]] : []),
        ]}
      />
      {tab === undefined && shows('endpoints') && <EndpointList app={app} />}
      {tab === undefined && !shows('endpoints') && shows('messages') && <Redirect to={`/app/${app}/msg`} replace />}
      {tab === 'msg' && <MessageLog app={app} onSend={mayOwn ? () => setOpen('send') : undefined} />}
      {tab === 'live' && <Tail path={`/api/v1/app/${app}/tail`} />}
      {tab === 'inbox' && <InboxPanel app={app} onSend={mayOwn ? () => setOpen('send') : undefined} />}
      {tab === 'activity' && isTenant && <Activity scope={{ app }} more={range => <TopEventTypes app={app} range={range} />} />}
      {open === 'edit' && <ApplicationDialog application={application} onClose={close} />}
      {open === 'send' && <SendDialog application={application} onClose={close} />}
      {open === 'portal' && <PortalDialog application={application} onClose={close} />}
      {open === 'end-links' && <EndLinksDialog application={application} onClose={close} />}
      {open === 'delete' && <DeleteDialog application={application} onClose={close} />}
    </Page>
  )
}

function messageTabs(app: string): [string, string][] {
  return [
    ['Messages', `/app/${app}/msg`],
    ['Live', `/app/${app}/live`],
    ['Test inbox', `/app/${app}/inbox`],
  ]
}

function DeleteDialog({ application, onClose }: { application: Application; onClose: () => void }) {
  const queries = useQueryClient()
  const [, navigate] = useLocation()
  return (
    <ActionDialog
      title={`Delete ${application.name}?`}
      action="Delete it"
      danger
      typeToConfirm={application.uid ?? application.name}
      onClose={onClose}
      run={async () => {
        await take(api.DELETE('/api/v1/app/{app_id}', { params: { path: { app_id: application.id } } }))
        navigate('/app')
        queries.removeQueries({ queryKey: ['app', application.id] })
        await queries.invalidateQueries({ queryKey: ['app', 'list'] })
        tell.done(`${application.name} was deleted.`)
      }}
    >
      <p>
        Its endpoints go with it, what is still to be delivered is cancelled, and its messages can no longer be seen. This cannot be undone.
      </p>
    </ActionDialog>
  )
}
