// Event types as a tree of checkboxes; a branch stands for all below it.
import { useState } from 'react'
import { useEventTypes } from '@/api/queries'
import { treeOf, typesOf, type Branch } from '@/lib/tree'
import { IconButton } from '@/ui/Button'
import { Checkbox, TextField } from '@/ui/Field'
import { Icon } from '@/ui/Icon'
import { Skeleton } from '@/ui/State'

interface PickerProps {
  value: string[] // empty: all
  onChange: (value: string[]) => void
}

export function EventTypePicker({ value, onChange }: PickerProps) {
  const catalogue = useEventTypes()
  const [find, setFind] = useState('')
  const known = (catalogue.data ?? []).filter(type => !type.archived || value.includes(type.name)).map(type => type.name)
  const names = [...new Set([...known, ...value])].filter(name => name.toLowerCase().includes(find.toLowerCase()))
  const chosen = new Set(value)

  function set(types: string[], on: boolean) {
    const next = new Set(chosen)
    for (const type of types) {
      if (on) next.add(type)
      else next.delete(type)
    }
    onChange([...next].sort())
  }

  if (catalogue.isPending) return <Skeleton lines={4} />
  return (
    <fieldset className="stack">
      <legend>Event types</legend>
      <p className="hint">{value.length === 0 ? 'None chosen: it gets all, new ones too.' : `${value.length} chosen.`}</p>
      {known.length + value.length > 12 && <TextField label="Find an event type" value={find} onChange={setFind} />}
      {known.length + value.length === 0 ? (
        <p className="quiet">The catalogue has no event types yet.</p>
      ) : (
        <ul className="tree">
          {treeOf(names).map(branch => (
            <Twig key={branch.name} branch={branch} chosen={chosen} set={set} />
          ))}
        </ul>
      )}
    </fieldset>
  )
}

function Twig({ branch, chosen, set }: { branch: Branch; chosen: Set<string>; set: (types: string[], on: boolean) => void }) {
  const [open, setOpen] = useState(true)
  const types = typesOf(branch)
  const on = types.filter(type => chosen.has(type)).length
  return (
    <li>
      <div className="twig">
        {branch.children.length > 0 ? (
          <IconButton label={`${open ? 'Fold' : 'Unfold'} ${branch.name}`} aria-expanded={open} onPress={() => setOpen(!open)}>
            <Icon name={open ? 'down' : 'right'} />
          </IconButton>
        ) : (
          <span className="twig-end" />
        )}
        <Checkbox isSelected={on === types.length} isIndeterminate={on > 0 && on < types.length} onChange={select => set(types, select)}>
          {branch.label}
          {branch.children.length > 0 && <span className="quiet"> · {types.length}</span>}
        </Checkbox>
      </div>
      {open && branch.children.length > 0 && (
        <ul>
          {branch.children.map(child => (
            <Twig key={child.name} branch={child} chosen={chosen} set={set} />
          ))}
        </ul>
      )}
    </li>
  )
}
