import { Menu as AriaMenu, MenuItem, MenuTrigger } from 'react-aria-components/Menu'
import { Popover } from 'react-aria-components/Popover'
import { Button } from './Button'
import { Icon } from './Icon'

interface Action {
  text: string
  run: () => void
  danger?: boolean
}

export function ActionMenu({ label, actions }: { label: string; actions: Action[] }) {
  return (
    <MenuTrigger>
      <Button aria-label={label}>
        More
        <Icon name="down" />
      </Button>
      <Popover className="popover" placement="bottom end">
        <AriaMenu className="menu" aria-label={label}>
          {actions.map(action => (
            <MenuItem key={action.text} id={action.text} onAction={action.run} className={action.danger ? 'menu-item danger' : 'menu-item'}>
              {action.text}
            </MenuItem>
          ))}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  )
}
