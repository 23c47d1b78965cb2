import { useState } from "react"

export default function QuickReplies() {
  const [sent, setSent] = useState(false)
  const replies = sent ? [] : props.replies || []
  if (!replies.length) return null
  return (
    <div className="hg-replies" role="group" aria-label={props.name} data-testid="quick-replies">
      {replies.map((reply) => (
        <button key={reply.message} type="button" className="hg-reply" onClick={() => { setSent(true); sendUserMessage(reply.message) }}>{reply.label}</button>
      ))}
    </div>)
}
