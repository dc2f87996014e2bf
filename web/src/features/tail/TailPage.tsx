import { Page } from '@/ui/Page'
import { Tail } from '@/ui/Tail'

export default function TailPage() {
  return (
    <Page title="What happens now">
      <Tail path="/api/v1/tail" />
    </Page>
  )
}
