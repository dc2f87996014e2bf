import { LinkButton } from '@/ui/Button'
import { Page } from '@/ui/Page'
import { Empty } from '@/ui/State'

export function Nothing() {
  return (
    <Page title="Nothing here">
      <Empty title="There is no such page.">
        <LinkButton href="/">Go to the start</LinkButton>
      </Empty>
    </Page>
  )
}
