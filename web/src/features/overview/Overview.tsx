import { lazy, Suspense, useState } from 'react'
import { useAccess } from '@/api/access'
import { sendSnippets } from '@/lib/snippets'
import { Snippets } from '@/ui/Code'
import { Page, Section } from '@/ui/Page'
import { Failure, Skeleton } from '@/ui/State'
import { TopEventTypes } from '@/ui/TopEventTypes'
import { Attention } from './Attention'
import { useProgress, type Progress } from './progress'

// Neither is part of the first screen's script.
const Activity = lazy(() => import('@/ui/Activity').then(module => ({ default: module.Activity })))
const FirstSteps = lazy(() => import('./FirstSteps').then(module => ({ default: module.FirstSteps })))

const EVERYTHING = {}

export default function Overview() {
  const { mayOwn } = useAccess()
  const { data, error, refetch } = useProgress()
  if (error && !data) return <Page title="Overview" children={<Failure error={error} retry={() => void refetch()} />} />
  if (!data) return <Skeleton lines={6} />
  return <Known key={String(mayOwn)} progress={data} mayOwn={mayOwn} />
}

// Who has begun with the first steps sees them to their end.
function Known({ progress, mayOwn }: { progress: Progress; mayOwn: boolean }) {
  const [beginning, setBeginning] = useState(mayOwn && !progress.delivered)
  return (
    <Page title={beginning ? 'Welcome to Posthorn' : 'Overview'}>
      <Suspense fallback={<Skeleton lines={6} />}>
        {beginning ? (
          <FirstSteps progress={progress} onEnd={() => setBeginning(false)} />
        ) : (
          <>
            <Attention />
            <Activity scope={EVERYTHING} more={range => <TopEventTypes range={range} />} />
            <Code application={progress.application} />
          </>
        )}
      </Suspense>
    </Page>
  )
}

function Code({ application }: Pick<Progress, 'application'>) {
  return (
    <Section title="Send from your code">
      <Snippets
        label="Send a message"
        snippets={sendSnippets(
          location.origin,
          application?.uid ?? application?.id ?? 'APPLICATION',
          'invoice.paid',
          '{"id":"in_42","amount":1200}',
        )}
      />
      <p className="quiet">
        <code>POSTHORN_KEY</code> is your API key. <a href="/docs">The API documentation</a> has the rest.
      </p>
    </Section>
  )
}
