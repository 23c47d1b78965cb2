const { QuickReplies } = window.homeguardElements(React, require)
export default <QuickReplies {...props} act={callAction} ask={sendUserMessage} />
