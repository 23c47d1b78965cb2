const { DeedList } = window.homeguardElements(React, require)
export default <DeedList {...props} act={callAction} ask={sendUserMessage} />
