import { useParams, useSearchParams } from 'wouter'
import { useApplication } from '@/api/queries'
import { Page } from '@/ui/Page'
import { EndpointForm } from './EndpointForm'

export default function NewEndpoint() {
  const { app = '' } = useParams()
  const [search] = useSearchParams()
  const { data: application } = useApplication(app)
  return (
    <Page
      title="New endpoint"
      above={[
        ['Applications', '/app'],
        [application?.name ?? app, `/app/${app}`],
      ]}
    >
      <EndpointForm app={app} url={search.get('url') ?? ''} />
    </Page>
  )
}
