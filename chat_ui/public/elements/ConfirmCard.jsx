const { ConfirmCard } = window.homeguardElements(React, require)
export default <ConfirmCard {...props} act={callAction} ask={sendUserMessage} />
